/** The codec for whole numbers of any size. */
import { decodeUtf8 } from '../core/utf8.js';
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';

/** What `codecs.bigint` takes. */
export interface BigintOptions {
  /** The least value that is written. No limit when left out. */
  readonly min?: bigint;
  /** The greatest value that is written. No limit when left out. */
  readonly max?: bigint;
}

/** The size of what has both limits: a column's length and the number of its values. */
function sizeOf(min: bigint | undefined, max: bigint | undefined): { maxBytes?: number; domain?: number } {
  if (min === undefined || max === undefined) return {};
  const domain = Number(max - min + 1n);
  return {
    maxBytes: Math.max(String(min).length, String(max).length),
    ...(Number.isFinite(domain) && { domain }),
  };
}

/**
 * Whole numbers of any size as a bigint, in decimal text: `0`, `-42`. `min` and `max` bind what is written; a value
 * from before they were narrowed is still read. Only with both limits is the column's length known.
 * @throws RangeError when `min` or `max` is not a bigint, or `min` is greater than `max`
 */
export function bigintCodec(options: BigintOptions = {}): Codec<bigint> {
  const { min, max } = options;
  const areBigints = [min, max].every((limit) => limit === undefined || typeof limit === 'bigint');
  if (!areBigints || (min !== undefined && max !== undefined && min > max)) {
    throw new RangeError('the limits of a bigint are bigints, min not above max');
  }
  return {
    name: 'bigint',
    isText: true,
    encode: (value) => {
      if (typeof value !== 'bigint') throw new FieldsealError('ERR_VALUE_TYPE', 'The value is not a bigint.');
      if (min !== undefined && value < min) {
        throw new FieldsealError('ERR_VALUE_OUT_OF_RANGE', `The number is less than ${min}.`);
      }
      if (max !== undefined && value > max) {
        throw new FieldsealError('ERR_VALUE_OUT_OF_RANGE', `The number is greater than ${max}.`);
      }
      return String(value);
    },
    decode: (bytes) => {
      const text = decodeUtf8(bytes);
      if (!/^(0|-?[1-9]\d*)$/.test(text)) {
        throw new FieldsealError('ERR_VALUE_TYPE', 'The stored value is not a whole number in decimal digits.');
      }
      return BigInt(text);
    },
    ...sizeOf(min, max),
  };
}
