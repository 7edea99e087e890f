/** A table as an application uses it: rows encrypted and decrypted whole, found by their indexes. */
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import type { Secret } from '../../src/core/secret.js';
import * as codecs from '../../src/fields/codecs.js';
import { encrypted } from '../../src/fields/encrypted.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { blindIndex } from '../../src/fields/index-declaration.js';
import { mask } from '../../src/fields/mask.js';
import { defineModel } from '../../src/fields/model.js';
import type { ContextRow } from '../../src/fields/place.js';
import { shapeOf } from '../../src/fields/schemes.js';
import { Table, type TableOptions } from '../../src/fields/table.js';
import { Keyring } from '../../src/keys/keyring.js';
import { addKey, addPurposeKey, createKeyring, promoteKey } from '../../src/keys/keyring-changes.js';
import { KeyringSnapshot } from '../../src/keys/keyring-snapshot.js';
import { openSubjectKeys, type SubjectKeys } from '../../src/keys/subject-keys.js';
import { freshKeyring, freshRing, MADE_AT_MS } from '../fresh-keyring.js';
import { MemorySubjects } from '../keys/memory-subjects.js';
import { refusalOf } from '../refusal.js';
import { twinIndexValue } from './blind-index-twin.js';

const FACTS = { distinct: 900_000, commonest: 1e-6 };
const model = defineModel({
  users: {
    primaryKey: 'id',
    tenant: 'org',
    subject: 'person',
    rows: 1_000_000,
    columns: {
      email: encryptedString({ length: 60, scheme: 'xaes', boundTo: 'row', ...FACTS, mask: mask('email') }),
      phone: encrypted(codecs.string(), { alsoReads: ['plaintext'], mask: mask('phone') }),
      first: encryptedString({ scheme: 'xaes', ...FACTS }),
      born: encrypted(codecs.date(), { scheme: 'xaes', ...FACTS }),
      note: encrypted(codecs.json(), { scheme: 'xaes-subject', storage: 'bytes' }),
      score: encrypted(codecs.number(), { scheme: 'xaes', alsoReads: ['plaintext'] }),
      active: encrypted(codecs.boolean(), { scheme: 'xaes', alsoReads: ['plaintext'] }),
    },
    indexes: {
      email_index: blindIndex('email', { normalise: ['trim', 'lower-case'], bits: 15 }),
      name_index: blindIndex(['first', 'born'], { normalise: { first: ['lower-case'] }, bits: 12 }),
    },
  },
  notes: { primaryKey: 'id', columns: { body: encryptedString({ scheme: 'xaes' }), title: encryptedString() } },
});

const ring = addPurposeKey(freshRing(), 'blind-index', MADE_AT_MS);
const keyring = new Keyring(ring);
const row = { id: 7, org: 'acme', person: 42 };
const UNREADABLE = (column: string) => ({
  code: 'ERR_DECRYPT_FAILED',
  message: `${column}: The stored value cannot be decrypted: it was written under another key or for another place, altered or is not a token.`,
});

async function withSubjects(work: (subjects: SubjectKeys, stored: MemorySubjects) => void | Promise<void>) {
  const stored = new MemorySubjects();
  const subjects = await openSubjectKeys(stored);
  await subjects.create([
    { tenant: 'acme', subject: 42 },
    { tenant: 'acme', subject: 43 },
  ]);
  await work(subjects, stored);
  await subjects.close();
}

const usersOver = (options: TableOptions = {}, over: Keyring | (() => Keyring) = keyring) =>
  new Table(model, 'users', over, options);
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
          Object.keys(model.tables.users.columns).map((name) => [
            name,
            shapeOf((stored as Record<string, string>)[name] as string),
          ]),
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

  it('matches all of its columns, as they are normalised, and never null', () => {
    const wanted = { first: 'JANE', born: '1990-05-01' };
    expect(users.matches('name_index', wanted, { first: 'jane', born: '1990-05-01' })).toBe(true);
    expect(users.matches('name_index', wanted, { first: 'jane', born: '1990-05-02' })).toBe(false);
    expect(users.matches('name_index', wanted, { first: 'jan', born: '1990-05-01' })).toBe(false);
    expect(users.matches('name_index', wanted, { first: null, born: '1990-05-01' })).toBe(false);
    expect(users.matches('name_index', { ...wanted, born: null }, { first: 'jane', born: null })).toBe(false);
  });
});

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

describe('the cache of a table', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** The same ring, id and generation, with keys that open nothing: what is still read comes out of the cache. */
  const gone = new KeyringSnapshot(ring.id, ring.generation, createKeyring(freshSecret(), [], MADE_AT_MS).keys);
  const bounds = { entries: 10, maxAgeSeconds: 60 };

  function freshSecret() {
    const { secret } = freshRing().key('v1');
    if (!secret) throw new Error('a fresh key has a secret');
    return secret;
  }

  function cachedTable(options: TableOptions = { cache: bounds }) {
    let current = keyring;
    const table = usersOver(options, () => current);
    return {
      table,
      use: (snapshot: KeyringSnapshot) => {
        current = new Keyring(snapshot);
      },
    };
  }

  const stored = usersOver().encryptRow({
    ...row,
    email: 'jane@x.com',
    phone: 'x',
    first: 'Jane',
    born: '1990-05-01',
    score: -0,
  });

  it('gives the same values again without opening their tokens', () => {
    const { table, use } = cachedTable();
    const first = table.decryptRow(stored);
    use(gone);
    expect(table.decryptRow(stored)).toEqual(first);
    expect(table.decryptRow(stored, { as: 'masked' }).email).toBe('j***@x.com');
  });

  it('is off unless it is asked for', () => {
    const { table, use } = cachedTable({});
    table.decryptRow(stored);
    use(gone);
    expect(refusalOf(() => table.decryptRow(stored))).toEqual(UNREADABLE('users.email'));
  });

  it('is empty after another generation of the ring', () => {
    const { table, use } = cachedTable();
    table.decryptRow(stored);
    use(new KeyringSnapshot(ring.id, ring.generation + 1, gone.keys));
    expect(refusalOf(() => table.decryptRow(stored))).toEqual(UNREADABLE('users.email'));
  });

  it('is empty after another ring', () => {
    const { table, use } = cachedTable();
    table.decryptRow(stored);
    use(new KeyringSnapshot('00'.repeat(16), ring.generation, gone.keys));
    expect(refusalOf(() => table.decryptRow(stored))).toEqual(UNREADABLE('users.email'));
  });

  it('is empty once it is cleared', () => {
    const { table, use } = cachedTable();
    table.decryptRow(stored);
    table.clearCache();
    use(gone);
    expect(refusalOf(() => table.decryptRow(stored))).toEqual(UNREADABLE('users.email'));
    usersOver().clearCache();
  });

  it('forgets what is too old', () => {
    const { table, use } = cachedTable();
    table.decryptRow(stored);
    use(gone);
    vi.advanceTimersByTime(59_999);
    expect(table.decryptRow(stored).email).toBe('jane@x.com');
    vi.advanceTimersByTime(1);
    expect(refusalOf(() => table.decryptRow(stored))).toEqual(UNREADABLE('users.email'));
  });

  it('holds no more than it may', () => {
    const { table, use } = cachedTable({ cache: { entries: 1, maxAgeSeconds: 60 } });
    table.decryptRow({ ...row, email: stored.email });
    table.decryptRow({ phone: stored.phone });
    use(gone);
    expect(table.decryptRow({ phone: stored.phone }).phone).toBe('x');
    expect(refusalOf(() => table.decryptRow({ ...row, email: stored.email }))).toEqual(UNREADABLE('users.email'));
  });

  it('finds nothing in another column, row, tenant or under another token', () => {
    const { table } = cachedTable();
    table.decryptRow(stored);
    const moved: [ContextRow, string][] = [
      [{ ...row, first: stored.email }, 'users.first'],
      [{ ...row, id: 8, email: stored.email }, 'users.email'],
      [{ ...row, org: 'other', email: stored.email }, 'users.email'],
      [{ ...row, org: 'other', first: stored.first }, 'users.first'],
      [{ ...row, email: `${stored.email}A` }, 'users.email'],
    ];
    for (const [given, column] of moved) expect(refusalOf(() => table.decryptRow(given))).toEqual(UNREADABLE(column));
    expect(table.decryptRow({ ...row, first: stored.first }).first).toBe('Jane');
  });

  it('keeps no plaintext and no failure', () => {
    const { table } = cachedTable();
    const foreign = new Fernet(Fernet.generateKey()).encrypt('x');
    for (let i = 0; i < 2; i++) {
      expect(table.decryptRow({ phone: 'in the clear' }).phone).toBe('in the clear');
      expect(refusalOf(() => table.decryptRow({ phone: foreign }))).toEqual(UNREADABLE('users.phone'));
    }
    expect(inspect(table, { depth: null, showHidden: true })).not.toContain('in the clear');
  });

  it('hands out values that are nobody else’s', () =>
    withSubjects((subjects) => {
      const { table } = cachedTable({ subjects, cache: bounds });
      const { note } = table.encryptRow({ ...row, note: { likes: ['tea'] } });
      const first = table.decryptRow({ ...row, note }).note as { likes: string[] };
      first.likes.push('milk');
      expect(table.decryptRow({ ...row, note }).note).toEqual({ likes: ['tea'] });
    }));

  it('gives nothing of a subject that was erased, of any subject', () =>
    withSubjects(async (subjects, inDatabase) => {
      const { table, use } = cachedTable({ subjects, cache: bounds });
      const [one, two] = [42, 43].map((person) => table.encryptRow({ ...row, person, note: person }));
      if (!one || !two) throw new Error('two rows were encrypted');
      expect([table.decryptRow(one).note, table.decryptRow(two).note]).toEqual([42, 43]);
      inDatabase.erase('42', 'acme');
      await subjects.refresh();
      expect(refusalOf(() => table.decryptRow(one))).toEqual({
        code: 'ERR_SUBJECT_ERASED',
        message: 'users.note: The subject "42" of the tenant "acme" was erased: nothing of it can be read or written.',
      });
      expect(refusalOf(() => table.encryptRow({ ...row, note: 'x' })).code).toBe('ERR_SUBJECT_ERASED');
      use(gone);
      expect(refusalOf(() => table.decryptRow(two))).toEqual(UNREADABLE('users.note'));
    }));

  it('gives nothing of subjects once no erasure could be learned of', () =>
    withSubjects(async (subjects, inDatabase) => {
      const { table } = cachedTable({ subjects, cache: { entries: 10, maxAgeSeconds: 1000 } });
      const one = table.encryptRow({ ...row, note: 'x' });
      expect(table.decryptRow(one).note).toBe('x');
      inDatabase.isCut = true;
      await vi.advanceTimersByTimeAsync(61_000);
      expect(refusalOf(() => table.decryptRow(one))).toMatchObject({
        code: 'ERR_SUBJECT_KEY_NOT_LOADED',
        message: expect.stringMatching(/^users\.note: The keys of subjects could not be confirmed for 60 seconds/),
      });
    }));
});
