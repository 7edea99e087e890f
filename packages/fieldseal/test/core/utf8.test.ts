/** Text to UTF-8 and back, without loss. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertWellFormed, decodeUtf8 } from '../../src/core/utf8.js';
import { refusalOf } from '../refusal.js';

describe('UTF-8', () => {
  it('brings back every well-formed text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assertWellFormed(text);
        expect(decodeUtf8(Buffer.from(text, 'utf8'))).toBe(text);
      }),
    );
  });

  it('is refused exactly where the strict decoder refuses it, and never repaired', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const nearUtf8 = fc.array(
      fc.constantFrom(0x41, 0x80, 0xbf, 0xc0, 0xc3, 0xe2, 0xed, 0xa0, 0xef, 0xbb, 0xbd, 0xf0, 0x9f, 0xf4, 0xff),
      {
        maxLength: 8,
      },
    );
    fc.assert(
      fc.property(nearUtf8, (codes) => {
        const bytes = Uint8Array.from(codes);
        let expected: string | null = null;
        try {
          expected = strict.decode(bytes);
        } catch {}
        if (expected !== null) expect(decodeUtf8(bytes)).toBe(expected);
        else {
          expect(refusalOf(() => decodeUtf8(bytes))).toEqual({
            code: 'ERR_VALUE_NOT_TEXT',
            message: 'The decrypted bytes are not UTF-8; read them as bytes.',
          });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('is read from a view at its place', () => {
    expect(decodeUtf8(new TextEncoder().encode('xxhelloxx').subarray(2, 7))).toBe('hello');
  });
});
