/** The codec for every JavaScript number: IEEE 754 doubles. */
import { decodeUtf8 } from '../core/utf8.js';
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';

/** What `codecs.number` takes. */
export interface NumberOptions {
  /** The least value that is written. No limit when left out. */
  readonly min?: number;
  /** The greatest value that is written. No limit when left out. */
  readonly max?: number;
}

// ECMA-262 Number::toString: at most 17 digits, here with a sign, `0.` and five zeros: `-0.0000012345678901234567`.
const MAX_BYTES = 25;

/** RFC 8259 §6, which is also how databases write what is finite. */
const PLAINTEXT_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The shortest text that gives the number back (ECMA-262 Number::toString), with `-0` told from `0`. */
export function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function decodePlaintext(text: string): number {
  const value = Number(text);
  // What is written as text here has one form only, so that this covers NaN and the infinities.
  if (numberText(value) === text) return value;
  if (!PLAINTEXT_NUMBER.test(text)) {
    throw new FieldsealError('ERR_VALUE_TYPE', 'The plaintext is not a number in decimal digits.');
  }
  const isLost = value === 0 && /[1-9]/.test(text.replace(/e.*/i, ''));
  if (!Number.isFinite(value) || isLost) {
    throw new FieldsealError('ERR_VALUE_OUT_OF_RANGE', 'The plaintext is a number that no double is near to.');
  }
  return value;
}

/**
 * Every JavaScript number, as the shortest decimal text that gives it back: `1.5`, `1e+21` (ECMA-262 Number::toString).
 * -0 is kept as `-0`; NaN (there is only one), `Infinity` and `-Infinity` are values like others. With `min` or `max`,
 * which bind what is written and not what is read, NaN is refused. Plaintext may be any JSON number, such as `1.50`,
 * and becomes the double nearest to it; where all its digits matter, declare `codecs.decimal`.
 * @throws RangeError when `min` or `max` is not a number, or `min` is greater than `max`
 */
export function numberCodec(options: NumberOptions = {}): Codec<number> {
  const { min = -Infinity, max = Infinity } = options;
  const isLimited = options.min !== undefined || options.max !== undefined;
  if (!(typeof min === 'number' && typeof max === 'number' && min <= max)) {
    throw new RangeError('the limits of a number are numbers, min not above max');
  }
  return {
    name: 'number',
    isText: true,
    encode: (value) => {
      if (typeof value !== 'number') throw new FieldsealError('ERR_VALUE_TYPE', 'The value is not a number.');
      // No comparison with NaN holds.
      if (isLimited && !(value >= min && value <= max)) {
        throw new FieldsealError('ERR_VALUE_OUT_OF_RANGE', `The number is not between ${min} and ${max}.`);
      }
      return numberText(value);
    },
    decode: (bytes) => {
      const text = decodeUtf8(bytes);
      const value = Number(text);
      if (numberText(value) !== text) {
        throw new FieldsealError('ERR_VALUE_TYPE', 'The stored value is not a number in its shortest text.');
      }
      return value;
    },
    decodePlaintext,
    maxBytes: MAX_BYTES,
  };
}
