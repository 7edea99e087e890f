/** The declaration of a text column. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { Field } from '../../src/fields/field.js';
import { freshKeyring } from '../fresh-keyring.js';

describe('encryptedString', () => {
  it('declares a column of Fernet tokens, read in no other scheme', () => {
    expect(encryptedString()).toMatchObject({ scheme: 'fernet', alsoReads: [], codec: { name: 'string' } });
    expect(encryptedString({ alsoReads: ['plaintext'] }).alsoReads).toEqual(['plaintext']);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '20' as never])('takes no length of %s', (length) => {
    expect(() => encryptedString({ length })).toThrow(
      new RangeError('the length of an encrypted string is a positive whole number of characters'),
    );
  });

  it('is stored in as many characters as its documentation says', () => {
    const keyring = freshKeyring();
    const field = new Field('users', 'note', encryptedString());
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), (text) => {
        const bytes = Buffer.byteLength(text, 'utf8');
        expect(field.encrypt(keyring, text).length).toBe(4 * Math.ceil((73 + 16 * Math.floor(bytes / 16)) / 3));
      }),
    );
  });
});
