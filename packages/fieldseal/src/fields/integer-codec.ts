/** The codec for whole numbers that a JavaScript number holds exactly. */
import { decodeUtf8 } from '../core/utf8.js';
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';

/** What `codecs.integer` takes. */
export interface IntegerOptions {
  /** The least value that is written. By default -(2^53-1). */
  readonly min?: number;
  /** The greatest value that is written. By default 2^53-1. */
  readonly max?: number;
}

function notInteger(): FieldsealError {
  return new FieldsealError('ERR_VALUE_TYPE', 'The value is not a whole number between -(2^53-1) and 2^53-1.');
}

/**
 * Whole numbers from -(2^53-1) to 2^53-1, as decimal text: `0`, `-42`. -0 is written, and comes back, as 0; NaN,
 * infinities, fractions and larger numbers are refused (`codecs.bigint` and `codecs.number` take them). `min` and `max`
 * bind what is written; a value from before they were narrowed is still read.
 * @throws RangeError when `min` or `max` is not such a number, or `min` is greater than `max`
 */
export function integerCodec(options: IntegerOptions = {}): Codec<number> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = options;
  if (!(Number.isSafeInteger(min) && Number.isSafeInteger(max) && min <= max)) {
    throw new RangeError('the limits of an integer are whole numbers between -(2^53-1) and 2^53-1, min not above max');
  }
  return {
    name: 'integer',
    isText: true,
    encode: (value) => {
      if (!Number.isSafeInteger(value)) throw notInteger();
      if (value < min || value > max) {
        throw new FieldsealError('ERR_VALUE_OUT_OF_RANGE', `The number is not between ${min} and ${max}.`);
      }
      return String(value);
    },
    decode: (bytes) => {
      const text = decodeUtf8(bytes);
      const value = Number(text);
      if (!/^(0|-?[1-9]\d*)$/.test(text) || !Number.isSafeInteger(value)) throw notInteger();
      return value;
    },
    // The longest text is at one of the ends.
    maxBytes: Math.max(String(min).length, String(max).length),
    domain: max - min + 1,
  };
}
