/** One of a few declared texts as a column's value. */
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Codec } from '../../src/fields/codec.js';
import { enumCodec } from '../../src/fields/enum-codec.js';
import { refusalOf } from '../refusal.js';
import { describeCodec } from './codec-contract.js';

const codec = enumCodec(['free', 'team', '', '한글']);
const NOT_DECLARED = { code: 'ERR_VALUE_TYPE', message: 'The value is not one of the 4 declared.' };

describeCodec('oneOf', {
  codec,
  values: fc.constantFrom('free', 'team', '', '한글'),
  takes: () => false,
  wrongType: NOT_DECLARED.message,
});

describe('an enumeration', () => {
  it('has the union of its texts as its type', () => {
    expectTypeOf(enumCodec(['free', 'team'])).toEqualTypeOf<Codec<'free' | 'team'>>();
    expectTypeOf(enumCodec(['free', 'team'] as string[])).toEqualTypeOf<Codec<string>>();
  });

  it('takes exactly its texts', () => {
    expect(codec.encode('한글')).toBe('한글');
    for (const text of ['Free', 'free ', 'fre', 'toString', '__proto__', '\ud83d']) {
      expect(refusalOf(() => codec.encode(text as never))).toEqual(NOT_DECLARED);
    }
    for (const text of ['Free', 'free\n', 'x']) {
      expect(refusalOf(() => codec.decode(Buffer.from(text)))).toEqual(NOT_DECLARED);
    }
  });

  it('knows how many they are, and the bytes of the longest', () => {
    expect(codec).toMatchObject({ maxBytes: 6, domain: 4 });
    expect(enumCodec(['x'])).toMatchObject({ maxBytes: 1, domain: 1 });
  });

  it('does not change with the list that it was made from', () => {
    const values = ['free'];
    const made = enumCodec(values);
    values[0] = 'team';
    expect(made.encode('free')).toBe('free');
    expect(refusalOf(() => made.encode('team'))).toMatchObject({ code: 'ERR_VALUE_TYPE' });
  });

  it('is of different texts, at least one', () => {
    const mistakes: unknown[] = [
      [],
      ['a', 'a'],
      ['a', 5],
      ['\ud83d'],
      [undefined],
      'free',
      undefined,
      null,
      { 0: 'a' },
    ];
    for (const values of mistakes) {
      expect(() => enumCodec(values as string[])).toThrow(
        new RangeError('the values of an enumeration are a list of different texts, at least one'),
      );
    }
  });
});
