/** A codec made of an application's own two functions. */
import { ownCopy } from '../core/own-copy.js';
import { decodeUtf8 } from '../core/utf8.js';
import { FieldsealError, isFieldsealError } from '../errors.js';
import type { Codec } from './codec.js';

/** What `codecs.codec` takes. */
export interface OwnCodecOptions<T> {
  /** What errors call the codec. */
  readonly name: string;
  /** The value as well-formed text or as bytes. One value has one encoding, else a blind index would miss it. */
  readonly encode: (value: T) => string | Uint8Array;
  /** The value that `encode` made the bytes from. The bytes are a copy, and may be kept. */
  readonly decode: (bytes: Uint8Array) => T;
  /** The value of a plaintext that stood in the column before, as its database writes it. By default as `decode`. */
  readonly decodePlaintext?: (text: string) => T;
  /** Whether the bytes are always UTF-8 text. By default true. */
  readonly isText?: boolean;
  /** The most bytes that a value may take. No limit when left out. */
  readonly maxBytes?: number;
  /** How many different values there are. No limit when left out. */
  readonly domain?: number;
}

/** Runs a function of the application. Its error is dropped, message and all, because it may quote the value. */
function guarded<R>(mistake: string, work: () => R): R {
  try {
    return work();
  } catch (error) {
    throw isFieldsealError(error) ? error : new FieldsealError('ERR_CODEC_FAILED', mistake);
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    decodeUtf8(bytes);
    return true;
  } catch {
    return false;
  }
}

/** What is wrong with a result of `encode`; null when nothing is. */
function mistakeOf(encoded: unknown, isText: boolean): string | null {
  if (typeof encoded === 'string') return encoded.isWellFormed() ? null : 'text with a lone surrogate';
  if (!(encoded instanceof Uint8Array)) return 'neither text nor bytes';
  return isText && !isUtf8(encoded) ? 'bytes that are not UTF-8, without isText: false' : null;
}

function assertOptions<T>({ name, encode, decode, decodePlaintext, maxBytes, domain }: OwnCodecOptions<T>): void {
  if (typeof name !== 'string' || name === '') throw new TypeError('a codec has a name');
  const areFunctions = [encode, decode, decodePlaintext ?? decode].every((work) => typeof work === 'function');
  if (!areFunctions) throw new TypeError(`the codec ${name} has the functions encode and decode`);
  const isSize = (size = 1) => Number.isInteger(size) && size > 0;
  if (!isSize(maxBytes) || !isSize(domain)) {
    throw new RangeError(`the maxBytes and the domain of the codec ${name} are positive whole numbers`);
  }
}

/**
 * A codec of one's own: `encode` makes text or bytes of a value, `decode` the value of the bytes. They have to be
 * lossless, and are called for one value at a time, at once and without waiting. A `FieldsealError` that they throw
 * passes; any other error becomes `ERR_CODEC_FAILED`, without its message and cause, which may hold the value. Null
 * never reaches them: it is NULL.
 * @throws TypeError when the name or a function is missing; RangeError when `maxBytes` or `domain` is not a positive
 * whole number
 *
 * @example
 * const point = codec<{ x: number; y: number }>({
 *   name: 'point',
 *   encode: ({ x, y }) => `${x},${y}`,
 *   decode: (bytes) => {
 *     const [x, y] = Buffer.from(bytes).toString().split(',').map(Number);
 *     return { x: x ?? 0, y: y ?? 0 };
 *   },
 * });
 */
export function ownCodec<T>(options: OwnCodecOptions<T>): Codec<T> {
  assertOptions(options);
  const { name, isText = true, maxBytes, domain } = options;
  const decodePlaintext = options.decodePlaintext?.bind(options);
  return {
    name,
    isText,
    encode: (value) => {
      const encoded = guarded(`The codec ${name} could not encode the value.`, () => options.encode(value));
      const mistake = mistakeOf(encoded, isText);
      if (mistake !== null) throw new FieldsealError('ERR_CODEC_FAILED', `The codec ${name} made ${mistake}.`);
      if (maxBytes !== undefined && Buffer.byteLength(encoded) > maxBytes) {
        throw new FieldsealError('ERR_VALUE_TOO_LONG', `The value takes more than ${maxBytes} bytes.`);
      }
      return encoded;
    },
    // Other values lie beside what was decrypted, and whoever keeps a view keeps those too.
    decode: (bytes) =>
      guarded(`The codec ${name} could not decode the stored value.`, () => options.decode(ownCopy(bytes))),
    ...(decodePlaintext && {
      decodePlaintext: (text: string) =>
        guarded(`The codec ${name} could not read the plaintext.`, () => decodePlaintext(text)),
    }),
    ...(maxBytes !== undefined && { maxBytes }),
    ...(domain !== undefined && { domain }),
  };
}
