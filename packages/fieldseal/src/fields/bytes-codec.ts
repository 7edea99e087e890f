/** The codec for bytes as they are. */
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';

/** What `codecs.bytes` takes. */
export interface BytesOptions {
  /** The most bytes a value may have. No limit when left out. */
  readonly length?: number;
}

function decodePlaintext(text: string): Uint8Array {
  if (!/^\\x(?:[0-9a-f]{2})*$/i.test(text)) {
    throw new FieldsealError('ERR_VALUE_TYPE', 'The plaintext is not bytes, written as \\x and hex.');
  }
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
}

/**
 * Bytes, encrypted as they are; none at all is a value too. Takes any `Uint8Array`, a `Buffer` included, and gives a
 * `Uint8Array` in memory of its own. `length` binds what is written; a value from before it was narrowed is still read.
 * Plaintext in a text column is PostgreSQL's `\x` and hex.
 * @throws RangeError when `length` is not a positive whole number
 */
export function bytesCodec(options: BytesOptions = {}): Codec<Uint8Array> {
  const { length } = options;
  if (length !== undefined && !(Number.isSafeInteger(length) && length > 0)) {
    throw new RangeError('the length of bytes is a positive whole number');
  }
  return {
    name: 'bytes',
    isText: false,
    encode: (value) => {
      if (!(value instanceof Uint8Array)) throw new FieldsealError('ERR_VALUE_TYPE', 'The value is not a Uint8Array.');
      if (length !== undefined && value.byteLength > length) {
        throw new FieldsealError('ERR_VALUE_TOO_LONG', `The value is longer than ${length} bytes.`);
      }
      return value;
    },
    // A copy: what was decrypted may lie in memory that Node shares among buffers.
    decode: (bytes) => new Uint8Array(bytes),
    decodePlaintext,
    ...(length !== undefined && { maxBytes: length }),
  };
}
