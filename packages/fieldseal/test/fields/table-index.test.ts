/** The blind indexes of a table: computed with a row, looked for, and told apart from coincidences. */
import { describe, expect, it } from 'vitest';
import type { Secret } from '../../src/core/secret.js';
import { blindIndex } from '../../src/fields/index-declaration.js';
import { defineModel } from '../../src/fields/model.js';
import { Table } from '../../src/fields/table.js';
import { Keyring } from '../../src/keys/keyring.js';
import { addKey, promoteKey } from '../../src/keys/keyring-changes.js';
import type { KeyringSnapshot } from '../../src/keys/keyring-snapshot.js';
import { freshKeyring, MADE_AT_MS } from '../fresh-keyring.js';
import { refusalOf } from '../refusal.js';
import { twinIndexValue } from './blind-index-twin.js';
import { keyring, model, ring, row, usersOver } from './users-table.js';

const users = usersOver();

describe('an index of a row', () => {
  const secretOf = (of: KeyringSnapshot, version: string) => (of.key(version, 'blind-index').secret as Secret).reveal();
  const emailIndex = { tenant: 'acme', table: 'users', column: 'email_index' };

  it('is computed with the row, of its normalised values and its tenant', () => {
    const stored = users.encryptRow({ ...row, email: ' Jane@X.com', first: 'JANE', born: '1990-05-01' });
    expect(stored.email_index).toBe(twinIndexValue(secretOf(ring, 'v1'), emailIndex, 15, 'jane@x.com'));
    const nameIndex = { ...emailIndex, column: 'name_index' };
    expect(stored.name_index).toBe(twinIndexValue(secretOf(ring, 'v1'), nameIndex, 12, 'jane', '1990-05-01'));
  });

  it('becomes null with its value, and stays untouched without it', () => {
    expect(users.encryptRow({ ...row, email: null, email_index: 'abcd' })).toEqual({
      ...row,
      email: null,
      email_index: null,
    });
    expect(users.encryptRow({ ...row, first: null, born: '1990-05-01' }).name_index).toBeNull();
    expect(users.encryptRow({ id: 7, email_index: 'abcd' })).toEqual({ id: 7, email_index: 'abcd' });
  });

  it('over several columns needs all of them, or none', () => {
    expect(refusalOf(() => users.encryptRow({ ...row, first: 'SECRET' }))).toEqual({
      code: 'ERR_INDEX_INCOMPLETE',
      message: 'users.name_index: the index is made of first, born; born is left out.',
    });
  });

  it('is looked for by the value as anybody types it', () => {
    const { email_index } = users.encryptRow({ ...row, email: 'Jane@X.com' });
    expect(users.lookup('email_index', { org: 'acme', email: ' jane@x.com ' })).toEqual([email_index]);
    expect(users.lookup('email_index', { org: 'other', email: 'jane@x.com' })).not.toEqual([email_index]);
    expect(users.lookup('email_index', { org: 'acme', email: '' })).toHaveLength(1);
  });

  it('is looked for under both keys while they are being rotated', () => {
    const { ring: pending } = addKey(ring, null, 'pending', MADE_AT_MS, 'blind-index');
    const rotating = new Keyring(pending);
    const table = usersOver({}, rotating);
    const wanted = { org: 'acme', email: 'jane@x.com' };
    const old = twinIndexValue(secretOf(pending, 'v1'), emailIndex, 15, 'jane@x.com');
    const next = twinIndexValue(secretOf(pending, 'v2'), emailIndex, 15, 'jane@x.com');
    expect(table.lookup('email_index', wanted)).toEqual([...new Set([old, next])]);
    expect(table.encryptRow({ ...row, email: 'jane@x.com' }).email_index).toBe(old);
    rotating.replace(promoteKey(pending, 'v2', 'blind-index'));
    expect(table.lookup('email_index', wanted)).toEqual([...new Set([next, old])]);
    expect(table.encryptRow({ ...row, email: 'jane@x.com' }).email_index).toBe(next);
  });

  it('is looked for once where both keys give the same value', () => {
    const { ring: pending } = addKey(ring, null, 'pending', MADE_AT_MS, 'blind-index');
    const table = usersOver({}, new Keyring(pending));
    // 2^15 values: one text in so many has the same under both keys.
    const hashes = (email: string) =>
      ['v1', 'v2'].map((version) => twinIndexValue(secretOf(pending, version), emailIndex, 12, email));
    let email = 0;
    const short = defineModel({
      users: {
        ...model.tables.users,
        indexes: { email_index: blindIndex('email', { bits: 12 }) },
      },
    });
    for (; new Set(hashes(`${email}`)).size === 2; email++);
    const found = new Table(short, 'users', new Keyring(pending)).lookup('email_index', {
      org: 'acme',
      email: `${email}`,
    });
    expect(found).toEqual(hashes(`${email}`).slice(0, 1));
    expect(table.lookup('email_index', { org: 'acme', email: 'x' }).length).toBeGreaterThan(0);
  });

  it('is not looked for as null, in part, without its tenant or under another name', () => {
    expect(refusalOf(() => users.lookup('email_index', { org: 1, email: null }))).toEqual({
      code: 'ERR_INDEX_INCOMPLETE',
      message: 'users.email_index: NULL has no index value; search for it with IS NULL.',
    });
    expect(refusalOf(() => users.lookup('name_index', { org: 1, first: 'SECRET' }))).toEqual({
      code: 'ERR_INDEX_INCOMPLETE',
      message: 'users.name_index: the index is made of first, born; born is left out.',
    });
    expect(refusalOf(() => users.lookup('email_index', { email: 'SECRET' }))).toEqual({
      code: 'ERR_CONTEXT_INCOMPLETE',
      message:
        "users.email_index: the index is bound to the row's tenant, and the row has no org; give the row with it.",
    });
    expect(refusalOf(() => users.lookup('email' as never, { org: 1, email: 'SECRET' }))).toEqual({
      code: 'ERR_INDEX_NOT_FOUND',
      message: 'The model declares no blind index users.email.',
    });
  });

  it('needs a key of the ring, and values without an index do not', () => {
    const table = usersOver({}, freshKeyring());
    const refusal = {
      code: 'ERR_KEY_NOT_FOUND',
      message:
        'users.email_index: the keyring has no key for blind indexes; `fieldseal index` makes one (a keyring out of environment variables cannot have one).',
    };
    expect(refusalOf(() => table.encryptRow({ ...row, email: 'x' }))).toEqual(refusal);
    expect(refusalOf(() => table.lookup('email_index', { org: 1, email: 'x' }))).toEqual(refusal);
    expect(table.encryptRow({ ...row, email: null }).email_index).toBeNull();
    expect(table.decryptRow(table.encryptRow({ ...row, phone: 'x' })).phone).toBe('x');
  });

  it('finds the value and coincidences, and matches tells them apart', () => {
    const wanted = { org: 'acme', email: 'Wanted@x.com' };
    const emails = [' wanted@x.com', ...Array.from({ length: 3000 }, (_, i) => `user${i}@x.com`)];
    const narrow = defineModel({
      users: {
        ...model.tables.users,
        rows: 1000,
        indexes: { email_index: blindIndex('email', { bits: 5, normalise: ['trim', 'lower-case'] }) },
      },
    });
    const table = new Table(narrow, 'users', keyring);
    const rows = emails.map((email, id) => table.encryptRow({ ...row, id, email }));
    const hits = rows.filter(({ email_index }) => table.lookup('email_index', wanted).includes(email_index as string));
    expect(hits.length).toBeGreaterThan(1);
    const found = hits.map((hit) => table.decryptRow(hit)).filter((hit) => table.matches('email_index', wanted, hit));
    expect(found.map(({ email }) => email)).toEqual([' wanted@x.com']);
  });

  it('matches no row of another tenant', () => {
    const wanted = { email: 'jane@x.com', org: 'acme' };
    expect(users.matches('email_index', wanted, { email: 'jane@x.com', org: 'acme' })).toBe(true);
    expect(users.matches('email_index', wanted, { email: 'jane@x.com', org: 'other' })).toBe(false);
  });

  it('matches no value from before its column was made shorter, and does not stop at it', () => {
    const wanted = { email: 'jane@x.com', org: 'acme' };
    expect(users.matches('email_index', wanted, { org: 'acme', email: `jane@x.com${' '.repeat(1000)}` })).toBe(false);
  });

  it('matches all of its columns, as they are normalised, and never null', () => {
    const wanted = { org: 'acme', first: 'JANE', born: '1990-05-01' };
    expect(users.matches('name_index', wanted, { org: 'acme', first: 'jane', born: '1990-05-01' })).toBe(true);
    expect(users.matches('name_index', wanted, { org: 'acme', first: 'jane', born: '1990-05-02' })).toBe(false);
    expect(users.matches('name_index', wanted, { org: 'acme', first: 'jan', born: '1990-05-01' })).toBe(false);
    expect(users.matches('name_index', wanted, { org: 'acme', first: null, born: '1990-05-01' })).toBe(false);
    expect(users.matches('name_index', { ...wanted, born: null }, { org: 'acme', first: 'jane', born: null })).toBe(
      false,
    );
  });
});
