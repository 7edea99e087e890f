/** The codecs by their short names. */
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Codec } from '../../src/fields/codec.js';
import * as codecs from '../../src/fields/codecs.js';
import { refusalOf } from '../refusal.js';
import { describeCodec } from './codec-contract.js';

const underTest = { takes: (value: unknown) => typeof value === 'string', wrongType: 'The value is not a string.' };
describeCodec('string', { codec: codecs.string(), values: fc.string({ unit: 'binary' }), ...underTest });
describeCodec('string with a limit', {
  codec: codecs.string({ length: 20 }),
  values: fc.string({ unit: 'binary', maxLength: 20 }),
  ...underTest,
});

describe('the codecs', () => {
  it('each have a name and the type of their values', () => {
    const codec = codecs.codec<URL>({
      name: 'url',
      encode: (url) => url.href,
      decode: (bytes) => new URL(Buffer.from(bytes).toString()),
    });
    expectTypeOf(codecs.string()).toEqualTypeOf<Codec<string>>();
    expectTypeOf(codecs.integer()).toEqualTypeOf<Codec<number>>();
    expectTypeOf(codecs.bigint()).toEqualTypeOf<Codec<bigint>>();
    expectTypeOf(codecs.number()).toEqualTypeOf<Codec<number>>();
    expectTypeOf(codecs.decimal()).toEqualTypeOf<Codec<string>>();
    expectTypeOf(codecs.boolean()).toEqualTypeOf<Codec<boolean>>();
    expectTypeOf(codecs.date()).toEqualTypeOf<Codec<string>>();
    expectTypeOf(codecs.timestamp()).toEqualTypeOf<Codec<Date>>();
    expectTypeOf(codecs.bytes()).toEqualTypeOf<Codec<Uint8Array>>();
    expectTypeOf(codec).toEqualTypeOf<Codec<URL>>();
    const made: { name: string }[] = [
      ...[codecs.string(), codecs.integer(), codecs.bigint(), codecs.number(), codecs.decimal(), codecs.boolean()],
      ...[codecs.date(), codecs.timestamp(), codecs.bytes(), codecs.json(), codecs.oneOf(['a']), codec],
    ];
    expect(made.map(({ name }) => name)).toEqual([
      ...['string', 'integer', 'bigint', 'number', 'decimal', 'boolean'],
      ...['date', 'timestamp', 'bytes', 'json', 'enum', 'url'],
    ]);
  });
});

describe('a string', () => {
  it('may be empty, and as long as it likes where no length is given', () => {
    expect(codecs.string().encode('')).toBe('');
    expect(codecs.string().maxBytes).toBeUndefined();
  });

  it('has at most as many code points as its length says', () => {
    const codec = codecs.string({ length: 2 });
    expect(codec.encode('😀😀')).toBe('😀😀');
    expect(codec.maxBytes).toBe(8);
    expect(refusalOf(() => codec.encode('abc'))).toEqual({
      code: 'ERR_VALUE_TOO_LONG',
      message: 'The text is longer than 2 characters.',
    });
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, '5' as never])('has no length of %j', (length) => {
    expect(() => codecs.string({ length })).toThrow(
      new RangeError('the length of a string is a positive whole number of characters'),
    );
  });
});
