/** The codec for text, with its limit in code points. */
import { assertWellFormed, decodeUtf8 } from '../core/utf8.js';
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';

/** Code points, not UTF-16 units: an emoji outside the basic plane counts as one. */
function countCodePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const isPair = (text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (isPair) {
      count--;
      i++;
    }
  }
  return count;
}

/** @param length the most code points that a text may have, or null for no limit */
export function stringCodec(length: number | null): Codec<string> {
  return {
    name: 'string',
    isText: true,
    encode: (value) => {
      if (typeof value !== 'string') throw new FieldsealError('ERR_VALUE_TYPE', 'The value is not a string.');
      assertWellFormed(value);
      // The number of code points is at most `value.length`, so that most values need no counting.
      if (length !== null && value.length > length && countCodePoints(value) > length) {
        throw new FieldsealError('ERR_VALUE_TOO_LONG', `The text is longer than ${length} characters.`);
      }
      return value;
    },
    decode: decodeUtf8,
    // UTF-8 takes at most four bytes for a code point (RFC 3629 §3).
    ...(length !== null && { maxBytes: 4 * length }),
  };
}
