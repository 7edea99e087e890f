/** Whole numbers of any size as a column's value. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bigintCodec } from '../../src/fields/bigint-codec.js';
import { refusalOf } from '../refusal.js';
import { describeCodec } from './codec-contract.js';

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const underTest = { takes: (value: unknown) => value === 8271n, wrongType: 'The value is not a bigint.' };

describeCodec('bigint', {
  codec: bigintCodec(),
  values: fc.oneof(fc.bigInt(), fc.bigInt({ min: -100n, max: 100n })),
  ...underTest,
});
describeCodec('bigint with limits', { codec: bigintCodec(INT64), values: fc.bigInt(INT64), ...underTest });

describe('a bigint', () => {
  it.each([
    [0n, '0'],
    [-42n, '-42'],
    [10n ** 40n, `1${'0'.repeat(40)}`],
  ])('is its decimal text (%s)', (value, text) => {
    expect(bigintCodec().encode(value)).toBe(text);
    expect(bigintCodec().decode(Buffer.from(text))).toBe(value);
  });

  it.each(['', '-', '-0', '+5', '05', '5n', '5.0', '1e3', ' 5', '5\n', '0x10', '1_000'])(
    'is not read from %j',
    (text) => {
      expect(refusalOf(() => bigintCodec().decode(Buffer.from(text)))).toEqual({
        code: 'ERR_VALUE_TYPE',
        message: 'The stored value is not a whole number in decimal digits.',
      });
    },
  );
});

describe('the limits of a bigint', () => {
  it('are themselves within, and named where a value is outside', () => {
    const codec = bigintCodec({ min: -5n, max: 9n });
    expect([codec.encode(-5n), codec.encode(9n)]).toEqual(['-5', '9']);
    expect(refusalOf(() => codec.encode(-6n))).toEqual({
      code: 'ERR_VALUE_OUT_OF_RANGE',
      message: 'The number is less than -5.',
    });
    expect(refusalOf(() => codec.encode(10n))).toEqual({
      code: 'ERR_VALUE_OUT_OF_RANGE',
      message: 'The number is greater than 9.',
    });
  });

  it('do not bind what is read', () => {
    expect(bigintCodec({ max: 9n }).decode(Buffer.from('10'))).toBe(10n);
  });

  it('give the size of the column, both together', () => {
    expect(bigintCodec(INT64)).toMatchObject({ maxBytes: 20, domain: 2 ** 64 });
    expect(bigintCodec({ min: -10n, max: 9n })).toMatchObject({ maxBytes: 3, domain: 20 });
    expect(bigintCodec({ min: 7n, max: 7n })).toMatchObject({ maxBytes: 1, domain: 1 });
    expect(bigintCodec({ min: 0n, max: 10n ** 400n })).toMatchObject({ maxBytes: 401 });
    for (const options of [{}, { min: 0n }, { max: 0n }, { min: 0n, max: 10n ** 400n }]) {
      expect(bigintCodec(options).domain).toBeUndefined();
    }
    for (const options of [{}, { min: 0n }, { max: 0n }]) expect(bigintCodec(options).maxBytes).toBeUndefined();
  });

  it('that are nonsense are refused', () => {
    for (const options of [{ min: 2n, max: 1n }, { min: 5 as never }, { max: null as never }]) {
      expect(() => bigintCodec(options)).toThrow(
        new RangeError('the limits of a bigint are bigints, min not above max'),
      );
    }
  });
});
