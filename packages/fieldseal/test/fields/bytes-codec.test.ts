/** Bytes as a column's value. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesCodec } from '../../src/fields/bytes-codec.js';
import { refusalOf } from '../refusal.js';
import { describeCodec } from './codec-contract.js';

const underTest = {
  takes: (value: unknown) => value instanceof Uint8Array,
  wrongType: 'The value is not a Uint8Array.',
};
describeCodec('bytes', { codec: bytesCodec(), values: fc.uint8Array({ maxLength: 100 }), ...underTest });
describeCodec('bytes with a limit', {
  codec: bytesCodec({ length: 16 }),
  values: fc.uint8Array({ maxLength: 16 }),
  ...underTest,
});

describe('bytes', () => {
  it('may be none', () => {
    expect(bytesCodec().encode(new Uint8Array())).toEqual(new Uint8Array());
    expect(bytesCodec().decode(new Uint8Array())).toEqual(new Uint8Array());
  });

  it('may be a Buffer, or a part of a larger memory', () => {
    expect(Buffer.from(bytesCodec().encode(Buffer.from('abc'))).toString()).toBe('abc');
    expect(bytesCodec().encode(new Uint8Array([0, 1, 2, 3]).subarray(1, 3))).toEqual(Uint8Array.of(1, 2));
  });

  it('come back in memory of their own', () => {
    const shared = Buffer.from('abcdef').subarray(1, 4);
    const value = bytesCodec().decode(shared);
    expect(value.buffer.byteLength).toBe(3);
    shared.fill(0);
    expect(Buffer.from(value).toString()).toBe('bcd');
  });

  it('are not text, nor other views of memory', () => {
    expect(bytesCodec().isText).toBe(false);
    for (const value of [new ArrayBuffer(2), new DataView(new ArrayBuffer(2)), new Uint16Array(2), [1, 2], 'ab']) {
      expect(refusalOf(() => bytesCodec().encode(value as never))).toEqual({
        code: 'ERR_VALUE_TYPE',
        message: 'The value is not a Uint8Array.',
      });
    }
  });
});

describe('the length of bytes', () => {
  it('may be reached, and not passed', () => {
    const codec = bytesCodec({ length: 3 });
    expect(codec.encode(Uint8Array.of(1, 2, 3))).toEqual(Uint8Array.of(1, 2, 3));
    expect(refusalOf(() => codec.encode(new Uint8Array(4)))).toEqual({
      code: 'ERR_VALUE_TOO_LONG',
      message: 'The value is longer than 3 bytes.',
    });
    expect(codec.maxBytes).toBe(3);
    expect(bytesCodec().maxBytes).toBeUndefined();
  });

  it('does not bind what is read', () => {
    expect(bytesCodec({ length: 3 }).decode(new Uint8Array(4))).toEqual(new Uint8Array(4));
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, '5' as never])('is not %j', (length) => {
    expect(() => bytesCodec({ length })).toThrow(new RangeError('the length of bytes is a positive whole number'));
  });
});

describe('the plaintext of bytes', () => {
  const decodePlaintext = (text: string) => bytesCodec().decodePlaintext?.(text);

  it('is hex behind \\x, in either case', () => {
    expect(decodePlaintext('\\x')).toEqual(new Uint8Array());
    expect(decodePlaintext('\\x00fFAb')).toEqual(Uint8Array.of(0, 255, 171));
    fc.assert(
      fc.property(fc.uint8Array(), (value) => {
        expect(decodePlaintext(`\\x${Buffer.from(value).toString('hex')}`)).toEqual(value);
      }),
    );
  });

  it.each(['', '00ff', '\\x0', '\\xg0', '\\x00 ', '\\x00\n', ' \\x00', '0x00', 'x00', '\\000', 'AP8='])(
    'is not %j',
    (text) => {
      expect(refusalOf(() => decodePlaintext(text))).toEqual({
        code: 'ERR_VALUE_TYPE',
        message: 'The plaintext is not bytes, written as \\x and hex.',
      });
    },
  );
});
