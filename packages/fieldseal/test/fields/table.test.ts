/** A table as an application uses it: rows encrypted and decrypted whole. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ContextRow } from '../../src/fields/place.js';
import type { Stored } from '../../src/fields/scheme.js';
import { shapeOf } from '../../src/fields/schemes.js';
import { Table } from '../../src/fields/table.js';
import { Keyring } from '../../src/keys/keyring.js';
import { addKey, promoteKey } from '../../src/keys/keyring-changes.js';
import { freshKeyring, MADE_AT_MS } from '../fresh-keyring.js';
import { refusalOf } from '../refusal.js';
import { keyring, model, ring, row, UNREADABLE, usersOver, withSubjects } from './users-table.js';

const users = usersOver();

describe('a row', () => {
  const plain = {
    ...row,
    nickname: 'jd',
    email: 'Jane@Example.com',
    phone: '+82-10-1234-5678',
    first: 'Jane',
    born: '1990-05-01',
    note: { likes: ['tea', 0, false, null] },
    score: -0,
    active: false,
  };

  it('is encrypted whole, each column in its scheme, and comes back', () =>
    withSubjects((subjects) => {
      const table = usersOver({ subjects });
      const stored = table.encryptRow(plain);
      expect(
        Object.fromEntries(
          Object.entries(stored)
            .filter(([name]) => name in model.tables.users.columns)
            .map(([name, token]) => [name, shapeOf(token as Stored)]),
        ),
      ).toEqual({
        email: 'xaes',
        phone: 'fernet',
        first: 'xaes',
        born: 'xaes',
        note: 'xaes-subject',
        score: 'xaes',
        active: 'xaes',
      });
      expect(stored.note).toBeInstanceOf(Uint8Array);
      expect(stored).toMatchObject({ ...row, nickname: 'jd' });
      expect(stored.email_index).toMatch(/^[0-9a-f]{4}$/);
      expect(table.decryptRow(stored)).toEqual({
        ...plain,
        email_index: stored.email_index,
        name_index: stored.name_index,
      });
    }));

  it('keeps empty and false values, and null stays null', () => {
    const awkward = { ...row, email: '', phone: '', first: null, born: null, score: 0, active: false, note: null };
    const stored = users.encryptRow(awkward);
    expect([stored.first, stored.born, stored.note]).toEqual([null, null, null]);
    for (const token of [stored.email, stored.phone, stored.score, stored.active]) expect(token).toMatch(/^[Ag]/);
    expect(users.decryptRow(stored)).toMatchObject(awkward);
  });

  it('in part is encrypted in part, and nothing is added that it does not hold', () => {
    expect(Object.keys(users.encryptRow({ phone: 'x' }))).toEqual(['phone']);
    expect(users.encryptRow({ id: 7, phone: undefined })).toEqual({ id: 7, phone: undefined });
    expect(users.encryptRow({})).toEqual({});
    expect(users.decryptRow({ id: 7, email: undefined, phone: null })).toEqual({
      id: 7,
      email: undefined,
      phone: null,
    });
  });

  it('that is given is left as it was', () => {
    const given = Object.freeze({ ...row, email: 'x' });
    const stored = Object.freeze(users.encryptRow(given));
    expect(given.email).toBe('x');
    expect(users.decryptRow(stored).email).toBe('x');
    expect(stored.email).not.toBe('x');
  });

  it('comes back for every text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 15 }), (email) => {
        expect(users.decryptRow(users.encryptRow({ ...row, email, phone: email }))).toMatchObject({
          email,
          phone: email,
        });
      }),
    );
  });

  it('needs what its values are bound to, and an error names table and column and never the value', () => {
    const refusals = [
      () => users.encryptRow({ org: 1, email: 'SECRET' }),
      () => users.encryptRow({ id: 7, email: 'SECRET' }),
      () => users.encryptRow({ id: 7, org: 1, email: 'SECRET'.repeat(20) }),
      () => users.encryptRow({ id: 7, org: 1, born: 'SECRET' }),
      () => users.encryptRow({ ...row, note: 'SECRET' }),
      () => users.encryptRow({ ...row, org: { SECRET: 1 }, first: 'SECRET' }),
      () => users.decryptRow({ ...row, email: 'SECRET' }),
      () => users.decryptRow({ ...row, email: 5 as never }),
    ].map(refusalOf);
    expect(refusals.map(({ code, message }) => `${code} ${message.split(':')[0]}`)).toEqual([
      'ERR_CONTEXT_INCOMPLETE users.email',
      'ERR_CONTEXT_INCOMPLETE users.email',
      'ERR_VALUE_TOO_LONG users.email',
      'ERR_VALUE_TYPE users.born',
      'ERR_SUBJECT_KEY_NOT_LOADED users.note',
      'ERR_CONTEXT_TYPE users.first',
      'ERR_DECRYPT_FAILED users.email',
      'ERR_VALUE_TYPE users.email',
    ]);
    for (const { message } of refusals) expect(message).not.toContain('SECRET');
  });

  it('does not open with the values of another: column, row, tenant, subject', () =>
    withSubjects((subjects) => {
      const table = usersOver({ subjects, cache: { entries: 10, maxAgeSeconds: 60 } });
      const stored = table.encryptRow(plain);
      table.decryptRow(stored);
      const moves: [ContextRow, string][] = [
        [{ ...stored, first: stored.email }, 'users.first'],
        [{ ...stored, id: 8 }, 'users.email'],
        [{ ...stored, org: 'other' }, 'users.email'],
        [{ ...row, person: 43, note: stored.note }, 'users.note'],
        [{ ...row, org: 'other', first: stored.first }, 'users.first'],
      ];
      for (const [moved, column] of moves) expect(refusalOf(() => table.decryptRow(moved))).toEqual(UNREADABLE(column));
    }));

  it('is encrypted and decrypted under the ring of the moment', () => {
    const rotating = new Keyring(ring);
    const table = usersOver({}, () => rotating);
    const before = table.encryptRow({ ...row, email: 'x' });
    const { ring: added, version } = addKey(ring, null, 'pending', MADE_AT_MS);
    rotating.replace(promoteKey(added, version));
    const after = table.encryptRow({ ...row, email: 'x' });
    expect([table.decryptRow(before).email, table.decryptRow(after).email]).toEqual(['x', 'x']);
    expect(refusalOf(() => users.decryptRow(after))).toEqual(UNREADABLE('users.email'));
  });
});

describe('a table', () => {
  it('has to be declared', () => {
    expect(() => new Table(model, 'people' as never, keyring)).toThrow(
      new TypeError('the model declares no table people'),
    );
    expect(users.name).toBe('users');
  });

  it('without indexes, tenant and subject needs nothing of its rows', () => {
    const notes = new Table(model, 'notes', freshKeyring());
    const stored = notes.encryptRow({ body: 'b', title: 't' });
    expect(Object.keys(stored)).toEqual(['body', 'title']);
    expect(notes.decryptRow(stored)).toEqual({ body: 'b', title: 't' });
    expect(refusalOf(() => notes.lookup('body_index' as never, { body: 'x' }))).toEqual({
      code: 'ERR_INDEX_NOT_FOUND',
      message: 'The model declares no blind index notes.body_index.',
    });
  });

  it('has no cache without bounds', () => {
    expect(() => usersOver({ cache: { entries: 0, maxAgeSeconds: 1 } })).toThrow(RangeError);
    expect(() => usersOver({ cache: {} as never })).toThrow(RangeError);
  });
});

describe('a row in other names than the database has', () => {
  it.each(['Email', 'E_MAIL', 'emailIndex'])('is refused, so that %s does not stay as it is', (name) => {
    for (const work of [
      () => usersOver().encryptRow({ ...row, [name]: 'SECRET' }),
      () => usersOver().decryptRow({ ...row, [name]: 'SECRET' }),
    ]) {
      expect(work).toThrow(TypeError);
      expect(work).toThrow(
        /^users: the row has \w+, and the declaration email(_index)?; rows have the names of the database$/,
      );
      expect(work).not.toThrow(/SECRET/);
    }
  });

  it('is read once: what a getter says the second time is neither stored nor indexed', () => {
    let asked = 0;
    const trap = {
      ...row,
      get email() {
        return asked++ === 0 ? 'jane@x.com' : 'SECRET';
      },
    };
    const stored = usersOver().encryptRow(trap);
    expect(asked).toBe(1);
    expect(usersOver().decryptRow(stored).email).toBe('jane@x.com');
    expect(stored.email_index).toBe(usersOver().encryptRow({ ...row, email: 'jane@x.com' }).email_index);
  });
});
