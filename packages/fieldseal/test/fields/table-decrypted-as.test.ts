/** How a table hands decrypted values out: masked, as secrets, and beyond the limits of today. */
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import * as codecs from '../../src/fields/codecs.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { mask } from '../../src/fields/mask.js';
import { defineModel } from '../../src/fields/model.js';
import { Table } from '../../src/fields/table.js';
import { refusalOf } from '../refusal.js';
import { FACTS, keyring, model, row, usersOver, withSubjects } from './users-table.js';

const users = usersOver();

describe('a value handed out masked', () => {
  it('is shown by its mask, and hidden where it has none', () => {
    const stored = users.encryptRow({ ...row, email: 'jane@x.com', phone: '+82-10-1234-5678', score: 4, active: true });
    expect(users.decryptRow(stored, { as: 'masked' })).toEqual({
      ...stored,
      email: 'j***@x.com',
      phone: '+82-**-****-5678',
      score: '****',
      active: '****',
    });
  });

  it('stays null where it is null', () => {
    expect(users.decryptRow({ ...row, email: null }, { as: 'masked' }).email).toBeNull();
  });

  it('never shows itself in the error of a mask of one’s own', () => {
    const own = defineModel({
      notes: {
        primaryKey: 'id',
        columns: {
          body: encryptedString({
            mask: (value) => {
              throw new Error(value);
            },
          }),
        },
      },
    });
    const notes = new Table(own, 'notes', keyring);
    const stored = notes.encryptRow({ body: 'SECRET' });
    expect(refusalOf(() => notes.decryptRow(stored, { as: 'masked' }))).toEqual({
      code: 'ERR_CODEC_FAILED',
      message: 'notes.body: A mask of the application’s own could not mask the value.',
    });
  });
});

describe('a value handed out as a secret', () => {
  const stored = users.encryptRow({ ...row, email: 'jane@x.com', phone: 'tell nobody', score: 1.5, active: true });
  const secrets = users.decryptRow(stored, { as: 'secrets' });

  it('has the bytes of its codec', () => {
    expect(secrets.email.reveal().toString()).toBe('jane@x.com');
    expect(secrets.score.reveal().toString()).toBe('1.5');
    expect(users.decryptRow({ ...row, email: null }, { as: 'secrets' }).email).toBeNull();
  });

  it('of plaintext has the bytes of its codec too', () => {
    const plain = users.decryptRow({ ...row, active: 't', phone: 'x' }, { as: 'secrets' });
    expect(plain.active.reveal().toString()).toBe(String(codecs.boolean().encode(true)));
    expect(plain.phone.reveal().toString()).toBe('x');
  });

  it('is never printed', () => {
    for (const printed of [
      JSON.stringify(secrets),
      inspect(secrets, { depth: null, showHidden: true }),
      `${secrets.email}`,
    ]) {
      expect(printed).toContain('[Secret]');
      for (const value of ['jane@x.com', 'tell nobody', '1.5']) expect(printed).not.toContain(value);
    }
  });
});

describe('a value from before its limit was narrowed', () => {
  const narrowed = defineModel({
    users: {
      ...model.tables.users,
      columns: {
        ...model.tables.users.columns,
        email: encryptedString({
          length: 5,
          scheme: 'xaes',
          boundTo: 'row',
          ...FACTS,
          alsoReads: ['plaintext'],
          mask: mask('email'),
        }),
      },
    },
  });
  const table = new Table(narrowed, 'users', keyring);

  it('is read in every way', () => {
    for (const email of [users.encryptRow({ ...row, email: 'jane@x.com' }).email, 'jane@x.com']) {
      const stored = { ...row, email };
      expect(table.decryptRow(stored).email).toBe('jane@x.com');
      expect(table.decryptRow(stored, { as: 'masked' }).email).toBe('j***@x.com');
      expect(table.decryptRow(stored, { as: 'secrets' }).email.reveal().toString()).toBe('jane@x.com');
    }
  });
});

describe('the values of an erased subject', () => {
  it('are refused, or null where a list asks for that; those of others are as ever', () =>
    withSubjects(async (subjects, stored) => {
      const table = usersOver({ subjects });
      const erased = table.encryptRow({ ...row, note: { kept: false }, phone: '+49-170-1234567' });
      const other = table.encryptRow({ ...row, person: 43, note: { kept: true } });
      stored.erase('42', 'acme');
      await subjects.refresh();
      const list = [erased, other].map((one) => table.decryptRow(one, { erased: 'null' }).note);
      expect(list).toEqual([null, { kept: true }]);
      expect(table.decryptRow(erased, { erased: 'null' }).phone).toBe('+49-170-1234567');
      expect(refusalOf(() => table.decryptRow(erased))).toEqual({
        code: 'ERR_SUBJECT_ERASED',
        message: 'users.note: The subject "42" of the tenant "acme" was erased: nothing of it can be read or written.',
      });
    }));
});
