/** A field as applications use it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import { FieldsealError } from '../../src/errors.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { Field } from '../../src/fields/field.js';
import { defineModel } from '../../src/fields/model.js';
import { fieldsOf } from '../../src/fields/table.js';
import { Keyring } from '../../src/keys/keyring.js';
import { addKey, promoteKey } from '../../src/keys/keyring-changes.js';
import { freshKeyring, MADE_AT_MS } from '../fresh-keyring.js';
import { refusalOf } from '../refusal.js';

const keyring = freshKeyring(2);
const phone = new Field('users', 'phone_number', encryptedString({ length: 20 }));
const migrating = new Field('users', 'phone_number', encryptedString({ length: 20, alsoReads: ['plaintext'] }));

const UNREADABLE = {
  code: 'ERR_DECRYPT_FAILED',
  message:
    'users.phone_number: The stored value cannot be decrypted: it was written under another key or for another place, altered or is not a token.',
};

describe('a field', () => {
  it('is stored as a token of the primary key, and comes back', () => {
    const stored = phone.encrypt(keyring, '+82-10-1234-5678');
    expect(stored).toMatch(/^gAAAAA[\w-]+={0,2}$/);
    const { secret } = keyring.snapshot().key('v1');
    expect(secret && new Fernet(secret).decrypt(stored as string)).toBe('+82-10-1234-5678');
    expect(phone.decrypt(keyring, stored)).toBe('+82-10-1234-5678');
  });

  it('that is null stays null, and the empty string is a value', () => {
    expect(phone.encrypt(keyring, null)).toBeNull();
    expect(phone.decrypt(keyring, null)).toBeNull();
    expect(phone.decrypt(keyring, phone.encrypt(keyring, ''))).toBe('');
    expect(phone.encrypt(keyring, '')).not.toBe('');
  });

  it('opens under the new ring after a rotation, and is written under the new key', () => {
    const { ring, version } = addKey(keyring.snapshot(), null, 'pending', MADE_AT_MS);
    const rotated = new Keyring(promoteKey(ring, version));
    const old = phone.encrypt(keyring, 'hello');
    expect(phone.decrypt(rotated, old)).toBe('hello');
    expect(refusalOf(() => phone.decrypt(keyring, phone.encrypt(rotated, 'hello')))).toEqual(UNREADABLE);
  });

  it('comes back whatever text a user types, be it a token', () => {
    const note = new Field('users', 'note', encryptedString({ alsoReads: ['plaintext'] }));
    const typed = [
      note.encrypt(keyring, 'inner') as string,
      new Fernet(Fernet.generateKey()).encrypt('foreign'),
      'gAAAAA',
      'gAAAAABinary',
      '',
    ];
    for (const text of typed) {
      const stored = note.encrypt(keyring, text);
      expect(stored).not.toBe(text);
      expect(note.decrypt(keyring, stored)).toBe(text);
    }
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(note.decrypt(keyring, note.encrypt(keyring, text))).toBe(text);
      }),
    );
  });
});

describe('a stored value that is not a token of the ring', () => {
  const foreign = new Fernet(Fernet.generateKey()).encrypt('hello');

  it.each([
    ['plaintext', '+82-10-1234-5678'],
    ['the empty string', ''],
    ['a token of another key', foreign],
    ['a token cut off', foreign.slice(0, -4)],
    ['a token in another base64', ` ${foreign}`],
  ])('is refused: %s', (_name, stored) => {
    expect(refusalOf(() => phone.decrypt(keyring, stored))).toEqual(UNREADABLE);
  });

  it('is read as plaintext only where the declaration says so', () => {
    for (const text of ['+82-10-1234-5678', '', 'gAAAAA', 'gAAAAAhello', '한글']) {
      expect(migrating.decrypt(keyring, text)).toBe(text);
    }
    expect([phone.reads('fernet'), phone.reads('plaintext')]).toEqual([true, false]);
    expect([migrating.reads('fernet'), migrating.reads('plaintext')]).toEqual([true, true]);
  });

  it('is unreadable when it has the shape of a token, even where plaintext is read', () => {
    expect(refusalOf(() => migrating.decrypt(keyring, foreign))).toEqual(UNREADABLE);
    expect(migrating.examine(keyring.snapshot(), foreign)).toEqual({ scheme: 'unreadable' });
  });

  it('is encrypted when it is written again, even where plaintext is read', () => {
    expect(migrating.encrypt(keyring, 'hello')).toMatch(/^gAAAAA/);
  });
});

describe('an error', () => {
  const refusals: [string, () => unknown, string, string][] = [
    [
      'too long',
      () => phone.encrypt(keyring, 'SECRET'.repeat(5)),
      'ERR_VALUE_TOO_LONG',
      'The text is longer than 20 characters.',
    ],
    ['no string', () => phone.encrypt(keyring, { SECRET: 1 } as never), 'ERR_VALUE_TYPE', 'The value is not a string.'],
    ['undefined', () => phone.encrypt(keyring, undefined as never), 'ERR_VALUE_TYPE', 'The value is not a string.'],
    [
      'a lone surrogate',
      () => phone.encrypt(keyring, 'SECRET\ud800'),
      'ERR_VALUE_NOT_TEXT',
      'The text has a lone surrogate, which cannot be stored as UTF-8.',
    ],
    [
      'a number stored',
      () => phone.decrypt(keyring, 12345 as never),
      'ERR_VALUE_TYPE',
      'The stored value is neither text nor bytes.',
    ],
  ];

  it.each(refusals)('names table and column and never the value: %s', (_name, work, code, message) => {
    const refusal = refusalOf(work);
    expect(refusal).toEqual({ code, message: `users.phone_number: ${message}` });
    expect(refusal.message).not.toContain('SECRET');
  });

  it('of bytes that are no text names them too', () => {
    const { secret } = keyring.snapshot().key('v1');
    const stored = secret ? new Fernet(secret).encrypt(Buffer.from([0xff])) : '';
    expect(refusalOf(() => phone.decrypt(keyring, stored))).toEqual({
      code: 'ERR_VALUE_NOT_TEXT',
      message: 'users.phone_number: The decrypted bytes are not UTF-8; read them as bytes.',
    });
  });

  it('of a codec that fails by a fault of its own comes through as it is', () => {
    const broken = new Field<string>('users', 'note', {
      ...encryptedString(),
      codec: {
        name: 'broken',
        isText: true,
        encode: () => {
          throw new TypeError('a fault');
        },
        decode: () => '',
      },
    });
    expect(() => broken.encrypt(keyring, 'x')).toThrow(new TypeError('a fault'));
  });

  it('holds no value for any text that is refused', () => {
    const short = new Field('users', 'note', encryptedString({ length: 3 }));
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 30 }), (text) => {
        for (const work of [() => short.encrypt(keyring, text), () => short.decrypt(keyring, text)]) {
          try {
            work();
            expect.unreachable();
          } catch (error) {
            expect(error).toBeInstanceOf(FieldsealError);
            expect((error as Error).message).not.toContain(text);
            expect((error as Error).cause).toBeUndefined();
          }
        }
      }),
    );
  });
});

describe('the fields of a model', () => {
  it('are all of its columns, in the order of their declaration', () => {
    const model = defineModel({
      users: { primaryKey: 'id', columns: { ssn: encryptedString(), phone: encryptedString() } },
      notes: { primaryKey: ['user_id', 'position'], columns: { body: encryptedString() } },
    });
    expect(fieldsOf(model).map(({ table, column }) => `${table}.${column}`)).toEqual([
      'users.ssn',
      'users.phone',
      'notes.body',
    ]);
  });
});

describe('the stored length', () => {
  it('of so many bytes is that of their token, whatever they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 70 }), (text) => {
        const field = new Field('users', 'note', encryptedString());
        expect(field.storedLength(Buffer.byteLength(text))).toBe(field.encrypt(keyring, text).length);
      }),
    );
  });

  it('is bounded by the declared one, at four bytes for a code point', () => {
    expect([phone.maxBytes, phone.storedLength(80)]).toEqual([80, phone.encrypt(keyring, '😀'.repeat(20)).length]);
    expect(new Field('users', 'note', encryptedString()).maxBytes).toBeNull();
  });
});
