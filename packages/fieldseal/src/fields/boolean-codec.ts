/** The codec for true and false. */
import { decodeUtf8 } from '../core/utf8.js';
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';

const TRUE = '1';
const FALSE = '0';

function decode(bytes: Uint8Array): boolean {
  const text = decodeUtf8(bytes);
  if (text !== TRUE && text !== FALSE) {
    throw new FieldsealError('ERR_VALUE_TYPE', 'The stored value is neither true nor false.');
  }
  return text === TRUE;
}

function decodePlaintext(text: string): boolean {
  if (/^(?:true|t|1)$/i.test(text)) return true;
  if (/^(?:false|f|0)$/i.test(text)) return false;
  throw new FieldsealError('ERR_VALUE_TYPE', 'The plaintext is neither true nor false as a database writes them.');
}

/**
 * True and false, as the text `1` or `0`: of one length, since the length of an `xaes` token is that of its value. Plaintext
 * may also be `true`, `false`, `t` or `f`, in either case.
 */
export function booleanCodec(): Codec<boolean> {
  return {
    name: 'boolean',
    isText: true,
    encode: (value) => {
      if (typeof value !== 'boolean') throw new FieldsealError('ERR_VALUE_TYPE', 'The value is not a boolean.');
      return value ? TRUE : FALSE;
    },
    decode,
    decodePlaintext,
    maxBytes: 1,
    domain: 2,
  };
}
