/** Doubles as a column's value. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { numberCodec } from '../../src/fields/number-codec.js';
import { refusalOf } from '../refusal.js';
import { describeCodec } from './codec-contract.js';

/** Every double alike, by its bits; among them the many NaNs, which are one to JavaScript. */
const bits = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).readDoubleBE());

describeCodec('number', {
  codec: numberCodec(),
  values: fc.oneof(fc.double(), bits, fc.integer(), fc.double({ min: -1e-5, max: 1e-5 })),
  takes: (value) => typeof value === 'number',
  wrongType: 'The value is not a number.',
});

describe('a number', () => {
  it.each([
    [0, '0'],
    [-0, '-0'],
    [1.5, '1.5'],
    [1e21, '1e+21'],
    [1e-7, '1e-7'],
    [0.1 + 0.2, '0.30000000000000004'],
    [2 ** 53, '9007199254740992'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
    [Number.MIN_VALUE, '5e-324'],
    [Number.NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [-Infinity, '-Infinity'],
  ])('is its shortest text (%s)', (value, text) => {
    expect(numberCodec().encode(value)).toBe(text);
    expect(numberCodec().decode(Buffer.from(text))).toBe(value);
  });

  it('takes 25 characters at most', () => {
    const longest = -0.0000012345678901234567;
    expect(String(numberCodec().encode(longest))).toHaveLength(numberCodec().maxBytes ?? 0);
  });

  it.each([
    '',
    '-',
    '+5',
    '05',
    '5.0',
    '.5',
    '5.',
    '1e3',
    '1E+21',
    ' 5',
    '5\n',
    '0x10',
    'nan',
    '+Infinity',
    '-NaN',
    '1e999',
  ])('is not read from %j', (text) => {
    expect(refusalOf(() => numberCodec().decode(Buffer.from(text)))).toEqual({
      code: 'ERR_VALUE_TYPE',
      message: 'The stored value is not a number in its shortest text.',
    });
  });
});

describe('the limits of a number', () => {
  const codec = numberCodec({ min: 0, max: 1 });

  it('are themselves within', () => {
    expect([0, -0, 0.5, 1].map((value) => codec.encode(value))).toEqual(['0', '-0', '0.5', '1']);
  });

  it.each([-1e-300, 1.0000000000000002, Infinity, -Infinity, Number.NaN])('refuse %s', (value) => {
    expect(refusalOf(() => codec.encode(value))).toEqual({
      code: 'ERR_VALUE_OUT_OF_RANGE',
      message: 'The number is not between 0 and 1.',
    });
  });

  it('may be one alone, and refuse NaN too', () => {
    expect(numberCodec({ min: 0 }).encode(Infinity)).toBe('Infinity');
    expect(numberCodec({ max: 0 }).encode(-Infinity)).toBe('-Infinity');
    for (const [options, range] of [
      [{ min: 0 }, '0 and Infinity'],
      [{ max: 0 }, '-Infinity and 0'],
    ] as const) {
      expect(refusalOf(() => numberCodec(options).encode(Number.NaN))).toEqual({
        code: 'ERR_VALUE_OUT_OF_RANGE',
        message: `The number is not between ${range}.`,
      });
    }
  });

  it('do not bind what is read', () => {
    expect(codec.decode(Buffer.from('2'))).toBe(2);
  });

  it('that are nonsense are refused', () => {
    for (const options of [{ min: 2, max: 1 }, { min: Number.NaN }, { max: '5' as never }]) {
      expect(() => numberCodec(options)).toThrow(
        new RangeError('the limits of a number are numbers, min not above max'),
      );
    }
  });
});

describe('the plaintext of a number', () => {
  const decodePlaintext = (text: string) => numberCodec().decodePlaintext?.(text);

  it.each([
    ['1.50', 1.5],
    ['1e5', 100_000],
    ['1E-5', 1e-5],
    ['-0.0', -0],
    ['0e999', 0],
    ['1.0e+20', 1e20],
    ['12345678901234567890', 12345678901234567000],
    ['NaN', Number.NaN],
    ['-Infinity', -Infinity],
  ])('may be any JSON number, or what the codec writes (%s)', (text, value) => {
    expect(decodePlaintext(text)).toBe(value);
  });

  it.each(['', '+5', '05', '.5', '5.', ' 5', '5\n', '0x10', '1_000', '1,5', 'nan', 'inf', '٣'])('is not %j', (text) => {
    expect(refusalOf(() => decodePlaintext(text))).toEqual({
      code: 'ERR_VALUE_TYPE',
      message: 'The plaintext is not a number in decimal digits.',
    });
  });

  it.each(['1e999', '-1e999', '1e-999', '-0.001e-999'])('is refused where no double is near (%s)', (text) => {
    expect(refusalOf(() => decodePlaintext(text))).toEqual({
      code: 'ERR_VALUE_OUT_OF_RANGE',
      message: 'The plaintext is a number that no double is near to.',
    });
  });
});
