/** LP: two different lists never give the same bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lengthPrefixed } from '../../src/core/length-prefix.js';

/** Reads LP back: that this can be done at all is its injectivity. */
function readBack(bytes: Buffer): Buffer[] {
  let offset = 4;
  const parts = Array.from({ length: bytes.readUInt32BE(0) }, () => {
    const start = offset + 4;
    offset = start + bytes.readUInt32BE(offset);
    return bytes.subarray(start, offset);
  });
  expect(offset).toBe(bytes.length);
  return parts;
}

describe('lengthPrefixed', () => {
  it('writes the count, then each part behind its length', () => {
    expect(lengthPrefixed('a/1', Buffer.from('beef', 'hex'), '').toString('hex')).toBe(
      '00000003' + '00000003612f31' + '00000002beef' + '00000000',
    );
    expect(lengthPrefixed().toString('hex')).toBe('00000000');
    expect(lengthPrefixed('한').toString('hex')).toBe('00000001' + '00000003ed959c');
  });

  it('can be read back whatever the parts are', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), (parts) => {
        expect(readBack(lengthPrefixed(...parts)).map((part) => [...part])).toEqual(parts.map((part) => [...part]));
      }),
    );
  });

  it('differs for lists that differ, also in where one part ends and the next begins', () => {
    const parts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\0', '\u0001'), maxLength: 4 }), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(parts, parts, (one, two) => {
        const same = JSON.stringify(one) === JSON.stringify(two);
        expect(lengthPrefixed(...one).equals(lengthPrefixed(...two))).toBe(same);
      }),
      { numRuns: 2000 },
    );
    expect(lengthPrefixed('ab', 'c')).not.toEqual(lengthPrefixed('a', 'bc'));
    expect(lengthPrefixed('a', '')).not.toEqual(lengthPrefixed('a'));
  });
});
