/** How large a database column has to be. */
import { describe, expect, it } from 'vitest';
import * as codecs from '../../src/fields/codecs.js';
import { encrypted } from '../../src/fields/encrypted.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { Field } from '../../src/fields/field.js';
import { blindIndex } from '../../src/fields/index-declaration.js';
import { storedLength } from '../../src/fields/stored-length.js';
import { freshKeyring } from '../fresh-keyring.js';

describe('the stored length', () => {
  it('is that of the longest value, at four bytes for a code point', () => {
    expect(storedLength(encryptedString({ length: 20 }))).toBe(204);
    expect(storedLength(encryptedString({ length: 20, storage: 'bytes' }))).toBe(153);
    expect(storedLength(encryptedString({ length: 20, scheme: 'xaes' }))).toBe(Math.ceil((125 * 4) / 3));
    expect(storedLength(encryptedString({ length: 20, scheme: 'xaes-subject', storage: 'bytes' }))).toBe(125);
  });

  it.each(['fernet', 'xaes'] as const)('is reached by the longest value: %s', (scheme) => {
    for (const storage of ['text', 'bytes'] as const) {
      for (let length = 1; length < 12; length++) {
        const declared = encryptedString({ length, scheme, storage });
        const stored = new Field('users', 'note', declared).encrypt(freshKeyring(), '😀'.repeat(length));
        expect(storedLength(declared)).toBe(stored.length);
      }
    }
  });

  it('is that of any type with a limit', () => {
    expect(storedLength(encrypted(codecs.boolean(), { scheme: 'xaes', storage: 'bytes' }))).toBe(46);
    expect(storedLength(encrypted(codecs.timestamp(), { scheme: 'xaes', storage: 'bytes' }))).toBe(45 + 27);
    expect(storedLength(encrypted(codecs.bytes({ length: 16 }), { scheme: 'xaes', storage: 'bytes' }))).toBe(61);
  });

  it('is enough for every scheme that the column reads', () => {
    const wide = storedLength(encryptedString({ length: 20 })) as number;
    const narrow = storedLength(encryptedString({ length: 20, scheme: 'xaes' })) as number;
    expect(wide).toBeGreaterThan(narrow);
    expect(storedLength(encryptedString({ length: 20, scheme: 'xaes', alsoReads: ['fernet', 'plaintext'] }))).toBe(
      wide,
    );
    expect(storedLength(encryptedString({ length: 20, scheme: 'xaes', alsoReads: ['plaintext'] }))).toBe(narrow);
  });

  it('is null for a type without a limit', () => {
    expect(storedLength(encryptedString())).toBeNull();
    expect(storedLength(encrypted(codecs.json()))).toBeNull();
  });

  it.each([
    [1, 2],
    [8, 2],
    [9, 4],
    [15, 4],
    [16, 4],
    [17, 6],
  ])('of an index of %d bits is %d characters', (bits, length) => {
    expect(storedLength(blindIndex('email', { bits }))).toBe(length);
  });
});
