/** The cache of a table: what it gives, and when it gives nothing any more. */
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import type { ContextRow } from '../../src/fields/place.js';
import type { TableOptions } from '../../src/fields/table.js';
import { Keyring } from '../../src/keys/keyring.js';
import { createKeyring } from '../../src/keys/keyring-changes.js';
import { KeyringSnapshot } from '../../src/keys/keyring-snapshot.js';
import { freshRing, MADE_AT_MS } from '../fresh-keyring.js';
import { refusalOf } from '../refusal.js';
import { keyring, ring, row, UNREADABLE, usersOver, withSubjects } from './users-table.js';

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
