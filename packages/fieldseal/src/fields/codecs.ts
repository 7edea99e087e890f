/** The codecs by the short names that declarations use: `codecs.integer()`. */
import type { Codec } from './codec.js';
import { stringCodec } from './string-codec.js';

export { type BigintOptions, bigintCodec as bigint } from './bigint-codec.js';
export { booleanCodec as boolean } from './boolean-codec.js';
export { type BytesOptions, bytesCodec as bytes } from './bytes-codec.js';
export { dateCodec as date } from './date-codec.js';
export { type DecimalOptions, decimalCodec as decimal } from './decimal-codec.js';
export { enumCodec as oneOf } from './enum-codec.js';
export { type IntegerOptions, integerCodec as integer } from './integer-codec.js';
export { type JsonOptions, type JsonValue, jsonCodec as json } from './json-codec.js';
export { type NumberOptions, numberCodec as number } from './number-codec.js';
export { type OwnCodecOptions, ownCodec as codec } from './own-codec.js';
export { timestampCodec as timestamp } from './timestamp-codec.js';

/** What `codecs.string` takes. */
export interface StringOptions {
  /** The most code points a text may have. No limit when left out. */
  readonly length?: number;
}

/**
 * Text, encrypted as its UTF-8; `''` is a value like others. `length` counts code points, so that an emoji outside the
 * basic plane is one, and binds what is written; a text from before it was lowered is still read. Text with a lone
 * surrogate is refused, because UTF-8 cannot hold it.
 * @throws RangeError when `length` is not a positive whole number
 */
export function string(options: StringOptions = {}): Codec<string> {
  const { length } = options;
  if (length !== undefined && !(Number.isSafeInteger(length) && length > 0)) {
    throw new RangeError('the length of a string is a positive whole number of characters');
  }
  return stringCodec(length ?? null);
}
