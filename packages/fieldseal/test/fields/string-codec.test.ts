/** Text as a column's value, with its limit in code points. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringCodec } from '../../src/fields/string-codec.js';
import { refusalOf } from '../refusal.js';

const tooLong = (length: number) => ({
  code: 'ERR_VALUE_TOO_LONG',
  message: `The text is longer than ${length} characters.`,
});

describe('the length of a text', () => {
  it.each([
    ['letters', 'abcde'],
    ['Hangul', '한글데이터'],
    ['emoji, each one code point', '😀😃😄😁😆'],
    ['letters with combining marks, each two', 'e\u0301e\u0301e'],
    ['one family of seven code points, cut to five', '👩‍👩‍👧'],
  ])('counts code points: %s', (_name, text) => {
    expect([...text].length).toBe(5);
    expect(stringCodec(5).encode(text)).toBe(text);
    expect(refusalOf(() => stringCodec(4).encode(text))).toEqual(tooLong(4));
  });

  it('may be anything up to the limit, and not one more', () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 12 }), (value, length) => {
        const encode = () => stringCodec(length).encode(value);
        if ([...value].length <= length) expect(encode()).toBe(value);
        else expect(refusalOf(encode)).toEqual(tooLong(length));
      }),
      { numRuns: 1000 },
    );
  });

  it('has no limit where none is declared', () => {
    const text = 'x'.repeat(1 << 20);
    expect(stringCodec(null).encode(text) === text).toBe(true);
  });
});

describe('a value', () => {
  it('that is no string is refused, and not shown', () => {
    for (const value of [5, true, undefined, null, {}, [], Buffer.from('secret'), new String('x'), 5n]) {
      expect(refusalOf(() => stringCodec(20).encode(value as string))).toEqual({
        code: 'ERR_VALUE_TYPE',
        message: 'The value is not a string.',
      });
    }
  });

  it('with a lone surrogate is refused', () => {
    for (const text of ['\ud83d', '\ude00', 'a\ud83d\ud83d\ude00']) {
      expect(refusalOf(() => stringCodec(20).encode(text))).toEqual({
        code: 'ERR_VALUE_NOT_TEXT',
        message: 'The text has a lone surrogate, which cannot be stored as UTF-8.',
      });
    }
  });

  it('comes back from its bytes, however long it is', () => {
    for (const text of ['', '한글', '\ufeff', 'x'.repeat(1000)]) {
      expect(stringCodec(1).decode(Buffer.from(text, 'utf8'))).toBe(text);
    }
    expect(refusalOf(() => stringCodec(1).decode(Buffer.from([0xff])))).toEqual({
      code: 'ERR_VALUE_NOT_TEXT',
      message: 'The decrypted bytes are not UTF-8; read them as bytes.',
    });
  });
});
