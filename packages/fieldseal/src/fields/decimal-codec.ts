/** The codec for decimal numbers, such as amounts of money, kept as text to the last digit. */
import { decodeUtf8 } from '../core/utf8.js';
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';

/** What `codecs.decimal` takes: the two numbers of SQL's `numeric(precision, scale)`. */
export interface DecimalOptions {
  /** The most digits, counting `scale` of them behind the point. */
  readonly precision: number;
  /** The most digits behind the point, at most `precision`. By default 0. */
  readonly scale?: number;
}

interface Decimal {
  readonly whole: string;
  readonly fraction: string;
}

const DECIMAL = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?$/;

function parseDecimal(text: unknown): Decimal {
  const [, sign, whole = '', fraction = ''] = (typeof text === 'string' && DECIMAL.exec(text)) || [];
  // Zero has no sign: `-0.00` would be a second text for `0.00`.
  if (whole === '' || (sign === '-' && !/[1-9]/.test(whole + fraction))) {
    throw new FieldsealError('ERR_VALUE_TYPE', 'The value is not a decimal number as text, in digits with a point.');
  }
  return { whole, fraction };
}

/** How long texts within the limits are, and how many there are. */
function sizeOf(precision: number, scale: number): { maxBytes: number; domain?: number } {
  const maxBytes = 1 + Math.max(1, precision - scale) + (scale > 0 ? 1 + scale : 0);
  // 10^(precision-scale) whole parts, each with 1 + 10 + … + 10^scale fractions, in two signs; but zeros have one.
  const domain = 2 * 10 ** (precision - scale) * Math.round((10 ** (scale + 1) - 1) / 9) - (scale + 1);
  return { maxBytes, ...(Number.isFinite(domain) && { domain }) };
}

/**
 * Decimal numbers as a string, which is kept as it is: `12.50`, `-0.001`. Trailing zeros are part of the value, as in
 * SQL's `numeric`: `1.5` and `1.50` are two values, and a blind index of one does not find the other. One value has one
 * text: `+1`, `01`, `.5`, `1.`, `1e5`, `-0` and `NaN` are refused. `precision` and `scale` bind what is written; a
 * value from before they were narrowed is still read.
 * @throws RangeError when `precision` is not a positive whole number, or `scale` not one from 0 to `precision`
 *
 * @example
 * const price = decimal({ precision: 12, scale: 2 });
 */
export function decimalCodec(options?: DecimalOptions): Codec<string> {
  const { precision = Infinity, scale = options ? 0 : Infinity } = options ?? {};
  if (options) {
    const areWhole = Number.isSafeInteger(precision) && Number.isSafeInteger(scale);
    if (!(areWhole && precision > 0 && scale >= 0 && scale <= precision)) {
      throw new RangeError(
        'a decimal has a positive precision, and a scale from 0 to the precision, both whole numbers',
      );
    }
  }
  return {
    name: 'decimal',
    isText: true,
    encode: (value) => {
      const { whole, fraction } = parseDecimal(value);
      const wholeDigits = whole === '0' ? 0 : whole.length;
      if (options && (fraction.length > scale || wholeDigits > precision - scale)) {
        throw new FieldsealError(
          'ERR_VALUE_OUT_OF_RANGE',
          `The number has more than ${precision - scale} digits before the point, or more than ${scale} behind it.`,
        );
      }
      return value;
    },
    decode: (bytes) => {
      const text = decodeUtf8(bytes);
      parseDecimal(text);
      return text;
    },
    ...(options && sizeOf(precision, scale)),
  };
}
