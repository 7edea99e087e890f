/** Whole numbers as a column's value. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { integerCodec } from '../../src/fields/integer-codec.js';
import { refusalOf } from '../refusal.js';
import { describeCodec } from './codec-contract.js';

const NOT_INTEGER = {
  code: 'ERR_VALUE_TYPE',
  message: 'The value is not a whole number between -(2^53-1) and 2^53-1.',
};

describeCodec('integer', {
  codec: integerCodec(),
  values: fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -100, max: 100 })),
  takes: (value) => value === 8271,
  wrongType: NOT_INTEGER.message,
});

describeCodec('integer with limits', {
  codec: integerCodec({ min: -5, max: 999 }),
  values: fc.integer({ min: -5, max: 999 }),
  takes: (value) => value === 8271,
  wrongType: NOT_INTEGER.message,
});

describe('an integer', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [-42, '-42'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [Number.MIN_SAFE_INTEGER, '-9007199254740991'],
  ])('is its decimal text (%j)', (value, text) => {
    expect(integerCodec().encode(value)).toBe(text);
    expect(integerCodec().decode(Buffer.from(text))).toBe(value + 0);
  });

  it.each([1.5, Number.NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53), 1e300])('is not %j', (value) => {
    expect(refusalOf(() => integerCodec().encode(value))).toEqual(NOT_INTEGER);
  });

  it.each(['', '-', '-0', '+5', '05', '-05', '5.0', '5.', '1e3', ' 5', '5 ', '5\n', '0x10', '٣', '9007199254740992'])(
    'is not read from %j',
    (text) => {
      expect(refusalOf(() => integerCodec().decode(Buffer.from(text)))).toEqual(NOT_INTEGER);
    },
  );
});

describe('the limits of an integer', () => {
  const codec = integerCodec({ min: -5, max: 999 });

  it('are themselves within', () => {
    expect([codec.encode(-5), codec.encode(999)]).toEqual(['-5', '999']);
  });

  it.each([-6, 1000])('are named where a value is outside (%j)', (value) => {
    expect(refusalOf(() => codec.encode(value))).toEqual({
      code: 'ERR_VALUE_OUT_OF_RANGE',
      message: 'The number is not between -5 and 999.',
    });
  });

  it('may be one alone', () => {
    expect(refusalOf(() => integerCodec({ min: 0 }).encode(-1))).toEqual({
      code: 'ERR_VALUE_OUT_OF_RANGE',
      message: 'The number is not between 0 and 9007199254740991.',
    });
    expect(integerCodec({ max: 0 }).encode(-1)).toBe('-1');
  });

  it('do not bind what is read', () => {
    expect(codec.decode(Buffer.from('1000'))).toBe(1000);
  });

  it.each([
    [-5, 999, 3, 1005],
    [-1000, 99, 5, 1100],
    [7, 7, 1, 1],
  ])('give the size of the column (%j to %j)', (min, max, maxBytes, domain) => {
    expect(integerCodec({ min, max })).toMatchObject({ maxBytes, domain });
  });

  it.each([{ min: 2, max: 1 }, { min: 0.5 }, { max: 2 ** 53 }, { min: Number.NaN }, { max: '5' as never }])(
    'that are nonsense are refused (%j)',
    (options) => {
      expect(() => integerCodec(options)).toThrow(
        new RangeError('the limits of an integer are whole numbers between -(2^53-1) and 2^53-1, min not above max'),
      );
    },
  );
});
