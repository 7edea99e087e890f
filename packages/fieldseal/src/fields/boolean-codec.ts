/** The codec for true and false. */
import { decodeUtf8 } from '../core/utf8.js';
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';

function decode(bytes: Uint8Array): boolean {
  const text = decodeUtf8(bytes);
  if (text !== 'true' && text !== 'false') {
    throw new FieldsealError('ERR_VALUE_TYPE', 'The stored value is neither true nor false.');
  }
  return text === 'true';
}

function decodePlaintext(text: string): boolean {
  if (/^(?:true|t|1)$/i.test(text)) return true;
  if (/^(?:false|f|0)$/i.test(text)) return false;
  throw new FieldsealError('ERR_VALUE_TYPE', 'The plaintext is neither true nor false as a database writes them.');
}

/**
 * True and false, as the text `true` or `false`. The texts differ in length, and so may tokens: on its own, the length
 * of a token in the `xaes` schemes tells the value. Plaintext may also be `t`, `f`, `1` or `0`, in either case.
 */
export function booleanCodec(): Codec<boolean> {
  return {
    name: 'boolean',
    isText: true,
    encode: (value) => {
      if (typeof value !== 'boolean') throw new FieldsealError('ERR_VALUE_TYPE', 'The value is not a boolean.');
      return String(value);
    },
    decode,
    decodePlaintext,
    maxBytes: 'false'.length,
    domain: 2,
  };
}
