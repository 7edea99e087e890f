/** Decimal numbers as a column's value. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimalCodec } from '../../src/fields/decimal-codec.js';
import { refusalOf } from '../refusal.js';
import { describeCodec } from './codec-contract.js';

const NOT_DECIMAL = {
  code: 'ERR_VALUE_TYPE',
  message: 'The value is not a decimal number as text, in digits with a point.',
};

/** Decimals with at most so many digits on each side of the point. */
function decimals(wholeDigits: number, scale: number): fc.Arbitrary<string> {
  const whole = fc.bigInt({ min: 0n, max: 10n ** BigInt(wholeDigits) - 1n }).map(String);
  const fraction = fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: scale });
  return fc.tuple(fc.boolean(), whole, fraction).map(([isNegative, before, behind]) => {
    const sign = isNegative && /[1-9]/.test(before + behind) ? '-' : '';
    return `${sign}${before}${behind === '' ? '' : `.${behind}`}`;
  });
}

const underTest = { takes: () => false, wrongType: NOT_DECIMAL.message };
describeCodec('decimal', { codec: decimalCodec(), values: decimals(40, 20), ...underTest });
describeCodec('decimal of precision 5 and scale 2', {
  codec: decimalCodec({ precision: 5, scale: 2 }),
  values: decimals(3, 2),
  ...underTest,
});
describeCodec('decimal of fractions only', {
  codec: decimalCodec({ precision: 3, scale: 3 }),
  values: decimals(0, 3),
  ...underTest,
});

describe('a decimal', () => {
  it.each(['0', '0.0', '0.00', '1.5', '1.50', '-0.001', '-12', '100', `${'9'.repeat(50)}.${'0'.repeat(50)}`])(
    'stays as it is: %s',
    (text) => {
      expect(decimalCodec().encode(text)).toBe(text);
      expect(decimalCodec().decode(Buffer.from(text))).toBe(text);
    },
  );

  it.each([
    ...['', '-', '.', '-0', '-0.0', '-0.000', '+1', '.5', '1.', '-.5', '01', '00', '-01.5', '1e5', '1E5', '1.5.5'],
    ...[' 1', '1 ', '1\n', '1,5', '1_000', '0x1', 'NaN', 'Infinity', '٣', '--1', '１'],
  ])('is not %j', (text) => {
    expect(refusalOf(() => decimalCodec().encode(text))).toEqual(NOT_DECIMAL);
    expect(refusalOf(() => decimalCodec().decode(Buffer.from(text)))).toEqual(NOT_DECIMAL);
  });
});

describe('precision and scale', () => {
  const outOfRange = (whole: number, scale: number) => ({
    code: 'ERR_VALUE_OUT_OF_RANGE',
    message: `The number has more than ${whole} digits before the point, or more than ${scale} behind it.`,
  });

  it.each([
    [5, 2, '999.99'],
    [5, 2, '-999.9'],
    [5, 2, '0'],
    [3, 0, '999'],
    [2, 2, '0.99'],
    [2, 2, '-0.01'],
  ])('of (%i, %i) take %s', (precision, scale, text) => {
    expect(decimalCodec({ precision, scale }).encode(text)).toBe(text);
  });

  it.each([
    [5, 2, '1000'],
    [5, 2, '-1000.00'],
    [5, 2, '1.000'],
    [3, 0, '1.0'],
    [2, 2, '1.0'],
  ])('of (%i, %i) refuse %s', (precision, scale, text) => {
    const codec = decimalCodec({ precision, scale });
    expect(refusalOf(() => codec.encode(text))).toEqual(outOfRange(precision - scale, scale));
    expect(codec.decode(Buffer.from(text))).toBe(text);
  });

  it('leave no digits behind the point where only precision is given, as in SQL', () => {
    expect(refusalOf(() => decimalCodec({ precision: 3 }).encode('1.5'))).toEqual(outOfRange(3, 0));
  });

  it.each([
    [1, 0, 2],
    [3, 0, 4],
    [5, 2, 7],
    [2, 2, 5],
  ])('of (%i, %i) need %i bytes', (precision, scale, maxBytes) => {
    expect(decimalCodec({ precision, scale }).maxBytes).toBe(maxBytes);
  });

  it.each([
    [1, 0],
    [1, 1],
    [2, 1],
    [3, 2],
  ])('of (%i, %i) have as many values as counting finds', (precision, scale) => {
    const codec = decimalCodec({ precision, scale });
    const found = new Set<string>();
    for (let units = -999; units <= 999; units++) {
      for (let places = 0; places <= 2; places++) {
        const text = (units / 10 ** places).toFixed(places).replace(/^-(0(\.0+)?)$/, '$1');
        try {
          found.add(String(codec.encode(text)));
        } catch {}
      }
    }
    expect(codec.domain).toBe(found.size);
  });

  it('have no limits, and no size, where none are given', () => {
    expect(decimalCodec().maxBytes).toBeUndefined();
    expect(decimalCodec().domain).toBeUndefined();
    expect(decimalCodec({ precision: 1000, scale: 500 }).domain).toBeUndefined();
  });

  it.each<[number, number]>([
    [0, 0],
    [-1, 0],
    [1.5, 0],
    [2, 3],
    [2, -1],
    [2, 0.5],
    [Infinity, 0],
    [Number.NaN, 0],
  ])('of (%s, %s) are nonsense', (precision, scale) => {
    expect(() => decimalCodec({ precision, scale })).toThrow(
      new RangeError('a decimal has a positive precision, and a scale from 0 to the precision, both whole numbers'),
    );
  });
});
