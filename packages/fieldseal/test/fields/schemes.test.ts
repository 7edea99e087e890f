/** What holds of every codec in every scheme and storage, and of columns that read more than one scheme. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import type { Codec } from '../../src/fields/codec.js';
import * as codecs from '../../src/fields/codecs.js';
import { type EncryptedOptions, encrypted } from '../../src/fields/encrypted.js';
import { Field } from '../../src/fields/field.js';
import { NO_PLACE } from '../../src/fields/place.js';
import type { SchemeName, Storage, Stored, WritingScheme } from '../../src/fields/scheme.js';
import { openWith, SCHEME_NAMES, SCHEMES, shapeOf } from '../../src/fields/schemes.js';
import { openSubjectKeys } from '../../src/keys/subject-keys.js';
import { freshKeyring } from '../fresh-keyring.js';
import { MemorySubjects } from '../keys/memory-subjects.js';
import { refusalOf } from '../refusal.js';
import { EVERY_CODEC } from './every-codec.js';

const keyring = freshKeyring(2);
const ring = keyring.snapshot();
const subjects = await openSubjectKeys(new MemorySubjects());
await subjects.create([{ tenant: 'acme', subject: 42 }]);
afterAll(() => subjects.close());

const row = { id: 7, org: 'acme', person: 42 };
const context = { primaryKey: 'id', tenant: 'org', subject: 'person' } as const;
const WRITING: readonly WritingScheme[] = ['fernet', 'xaes', 'xaes-subject'];
const STORAGES: readonly Storage[] = ['text', 'bytes'];
const EVERY_WAY = Object.keys(EVERY_CODEC).flatMap((codec) =>
  WRITING.flatMap((scheme) => STORAGES.map((storage) => ({ codec, scheme, storage }))),
);

function noteOf<T>(codec: Codec<T>, options: EncryptedOptions) {
  return new Field('users', 'note', encrypted(codec, options), context);
}
const textOf = (options: EncryptedOptions) => noteOf(codecs.string(), options);
const encryptIn = <T>(field: Field<T>, value: T | null) => field.encrypt(keyring, value, field.placeIn(row, subjects));
const decryptIn = <T>(field: Field<T>, stored: Stored | null) =>
  field.decrypt(keyring, stored, field.placeIn(row, subjects));

const UNREADABLE_NOTE = {
  code: 'ERR_DECRYPT_FAILED',
  message:
    'users.note: The stored value cannot be decrypted: it was written under another key or for another place, altered or is not a token.',
};

describe('every value', () => {
  it.each(EVERY_WAY)('of $codec comes back from $scheme stored as $storage', ({ codec: name, scheme, storage }) => {
    const { codec, values } = EVERY_CODEC[name] as (typeof EVERY_CODEC)[string];
    const field = noteOf(codec, { scheme, storage, boundTo: scheme === 'fernet' ? 'column' : 'row' });
    const check = fc.property(values, (value) => {
      const stored = encryptIn(field, value) as Stored;
      expect(typeof stored === 'string' ? 'text' : 'bytes').toBe(storage);
      expect(isDeepStrictEqual(decryptIn(field, stored), value)).toBe(true);
      expect(shapeOf(stored)).toBe(scheme);
    });
    fc.assert(check, { numRuns: 30 });
    expect([encryptIn(field, null), decryptIn(field, null)]).toEqual([null, null]);
  });

  it.each(Object.keys(EVERY_CODEC))('of %s comes back from the plaintext that it is put back as', (name) => {
    const { codec, values } = EVERY_CODEC[name] as (typeof EVERY_CODEC)[string];
    for (const storage of STORAGES) {
      const field = noteOf(codec, { scheme: 'xaes', storage, alsoReads: ['plaintext'] });
      const check = fc.property(values, (value) => {
        const plain = field.plaintextOf(value);
        expect(typeof plain === 'string' ? 'text' : 'bytes').toBe(storage);
        expect(isDeepStrictEqual(decryptIn(field, plain), value)).toBe(true);
      });
      fc.assert(check, { numRuns: 50 });
    }
  });

  it('of bytes is put back as PostgreSQL writes them in a text column', () => {
    const field = noteOf(codecs.bytes(), { alsoReads: ['plaintext'] });
    expect(field.plaintextOf(Uint8Array.of(0, 0xff))).toBe('\\x00ff');
    expect(noteOf(codecs.bytes(), { storage: 'bytes' }).plaintextOf(Uint8Array.of(0))).toEqual(Buffer.of(0));
  });
});

describe('a column on its way from one scheme to another', () => {
  const toXaes = textOf({ scheme: 'xaes', boundTo: 'row', alsoReads: ['fernet'] });
  const backToFernet = textOf({ scheme: 'fernet', boundTo: 'row', alsoReads: ['xaes'] });

  it('reads both side by side, and writes the new one', () => {
    const old = encryptIn(textOf({}), 'old') as Stored;
    const now = encryptIn(toXaes, 'new') as Stored;
    expect([shapeOf(old), shapeOf(now)]).toEqual(['fernet', 'xaes']);
    expect([decryptIn(toXaes, old), decryptIn(toXaes, now)]).toEqual(['old', 'new']);
  });

  it('reads both on the way back too', () => {
    const now = encryptIn(toXaes, 'new') as Stored;
    const back = encryptIn(backToFernet, 'back') as Stored;
    expect([shapeOf(now), shapeOf(back)]).toEqual(['xaes', 'fernet']);
    expect([decryptIn(backToFernet, now), decryptIn(backToFernet, back)]).toEqual(['new', 'back']);
    expect(decryptIn(toXaes, back)).toBe('back');
  });

  it('reads all four schemes when it declares them, in whatever order', () => {
    const stored = [...WRITING.map((scheme) => encryptIn(textOf({ scheme }), scheme) as Stored), 'plaintext'];
    for (const scheme of WRITING) {
      for (const alsoReads of [SCHEME_NAMES, [...SCHEME_NAMES].reverse()]) {
        const field = textOf({ scheme, alsoReads });
        expect(stored.map((one) => decryptIn(field, one))).toEqual([...WRITING, 'plaintext']);
      }
    }
  });

  it('reads no scheme that it does not declare', () => {
    for (const scheme of WRITING) {
      const stored = encryptIn(textOf({ scheme }), 'x') as Stored;
      for (const other of WRITING.filter((name) => name !== scheme)) {
        expect(refusalOf(() => decryptIn(textOf({ scheme: other }), stored))).toEqual(UNREADABLE_NOTE);
      }
    }
  });

  it('never takes a token of a scheme that it does not declare for plaintext', () => {
    for (const storage of STORAGES) {
      for (const scheme of WRITING) {
        const stored = encryptIn(textOf({ scheme, storage }), 'x') as Stored;
        for (const other of WRITING.filter((name) => name !== scheme)) {
          const field = textOf({ scheme: other, storage, alsoReads: ['plaintext'] });
          expect(refusalOf(() => decryptIn(field, stored))).toEqual(UNREADABLE_NOTE);
          expect(field.examine(ring, stored, field.placeIn(row, subjects))).toMatchObject({ scheme });
        }
      }
    }
  });

  it('tells a sweep what each value is, whatever it declares', () => {
    const field = textOf({});
    const place = field.placeIn(row, subjects);
    const seen = (stored: Stored) => field.examine(ring, stored, place).scheme;
    for (const scheme of WRITING) {
      for (const storage of STORAGES) expect(seen(encryptIn(textOf({ scheme, storage }), 'x') as Stored)).toBe(scheme);
    }
    expect(seen('hello')).toBe('plaintext');
    expect(seen(Buffer.from('hello'))).toBe('plaintext');
    expect(seen(new Fernet(Fernet.generateKey()).encrypt('x'))).toBe('unreadable');
  });

  it('asks only the schemes that are named', () => {
    const token = SCHEMES.xaes.seal(NO_PLACE, ring.primary, 'x', 'text');
    expect(openWith(['fernet', 'xaes-subject'], NO_PLACE, ring, token)).toBeNull();
    expect(openWith(['fernet', 'xaes'], NO_PLACE, ring, token)).toMatchObject({ scheme: 'xaes', keyVersion: 'v1' });
  });
});

describe('plaintext of a migration', () => {
  it.each([
    ['boolean', codecs.boolean(), ['t', 'f', '1', 'true'], [true, false, true, true]],
    ['timestamp', codecs.timestamp(), ['2026-11-24 09:00:00+01'], [new Date('2026-11-24T08:00:00Z')]],
    ['bytes', codecs.bytes(), ['\\x00ff', '\\x'], [Uint8Array.of(0, 0xff), new Uint8Array()]],
    ['integer', codecs.integer(), ['42', '0'], [42, 0]],
  ] as const)('is read as its database writes it: %s', (_name, codec, texts, values) => {
    const field = noteOf<unknown>(codec as never, { scheme: 'xaes', alsoReads: ['plaintext'] });
    expect(texts.map((text) => decryptIn(field, text))).toEqual(values);
  });

  it('that its codec cannot read is refused without being shown', () => {
    const field = noteOf(codecs.boolean(), { scheme: 'xaes', alsoReads: ['plaintext'] });
    expect(refusalOf(() => decryptIn(field, 'SECRET'))).toEqual({
      code: 'ERR_VALUE_TYPE',
      message: 'users.note: The plaintext is neither true nor false as a database writes them.',
    });
  });

  it('is bytes in a column of bytes', () => {
    const field = textOf({ scheme: 'xaes', storage: 'bytes', alsoReads: ['plaintext'] });
    expect(decryptIn(field, Buffer.from('héllo'))).toBe('héllo');
    expect(decryptIn(field, new Uint8Array())).toBe('');
    expect(refusalOf(() => decryptIn(field, Buffer.of(0xff)))).toEqual({
      code: 'ERR_VALUE_NOT_TEXT',
      message: 'users.note: The decrypted bytes are not UTF-8; read them as bytes.',
    });
  });

  it('is not read where the column does not declare it', () => {
    for (const scheme of WRITING) {
      for (const stored of ['hello', '', Buffer.from('hello'), Buffer.alloc(0)]) {
        expect(refusalOf(() => decryptIn(textOf({ scheme }), stored))).toEqual(UNREADABLE_NOTE);
      }
    }
  });

  it('is any text but a token’s shape, and stays what it is', () => {
    const field = textOf({ scheme: 'xaes', alsoReads: ['plaintext'] });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.base64String({ minLength: 60 })), (text) => {
        fc.pre(shapeOf(text) === 'plaintext');
        expect(decryptIn(field, text)).toBe(text);
      }),
    );
  });
});

describe('the names of the schemes', () => {
  it('are four, plaintext the last to be asked', () => {
    const names: readonly SchemeName[] = ['fernet', 'xaes', 'xaes-subject', 'plaintext'];
    expect(SCHEME_NAMES).toEqual(names);
    for (const name of SCHEME_NAMES) expect(SCHEMES[name].name).toBe(name);
  });
});

describe('a field', () => {
  it('needs its row once it reads a scheme that is bound to more than the column', () => {
    const bare = { primaryKey: 'id' } as const;
    const needs = (options: EncryptedOptions, of: ConstructorParameters<typeof Field>[3]) =>
      new Field('users', 'note', encrypted(codecs.string(), options), of).needsRow;
    expect(needs({}, context)).toBe(false);
    expect(needs({ boundTo: 'row' }, context)).toBe(false);
    expect(needs({ scheme: 'xaes' }, bare)).toBe(false);
    expect(needs({ scheme: 'xaes' }, undefined)).toBe(false);
    expect(needs({ scheme: 'xaes' }, context)).toBe(true);
    expect(needs({ scheme: 'xaes', boundTo: 'row' }, bare)).toBe(true);
    expect(needs({ alsoReads: ['xaes'], boundTo: 'row' }, bare)).toBe(true);
    expect(needs({ scheme: 'xaes-subject' }, bare)).toBe(true);
    expect(needs({ alsoReads: ['xaes-subject'] }, bare)).toBe(true);
  });

  it('names the subject of a row, with its tenant, for sweeps', () => {
    const field = textOf({ scheme: 'xaes-subject' });
    expect(field.subjectIn({ org: 7, person: 42n })).toEqual({ tenant: '7', subject: '42' });
    expect(field.subjectIn({ org: null, person: 42 })).toBeNull();
    expect(field.subjectIn({ org: 7, person: null })).toBeNull();
    expect(field.subjectIn({})).toBeNull();
    const alone = new Field('users', 'note', encrypted(codecs.string()), { primaryKey: 'id', subject: 'id' });
    expect(alone.subjectIn({ id: 42 })).toEqual({ tenant: '', subject: '42' });
    expect(new Field('users', 'note', encrypted(codecs.string())).subjectIn({ id: 42 })).toBeNull();
    expect([field.needsSubject, alone.needsSubject]).toEqual([true, false]);
  });
});
