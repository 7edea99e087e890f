/** "Using EncryptedString in Models" of the Python original's guide, done with Drizzle on a real SQLite file. */
import type Database from 'better-sqlite3';
import { eq, isNull, relations } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { customType, integer, sqliteTable } from 'drizzle-orm/sqlite-core';
import { describe, expect, it } from 'vitest';
import { type EncryptedText, encryptedColumns } from '../../src/adapters/drizzle.js';
import * as codecs from '../../src/fields/codecs.js';
import { encrypted as encryptedColumn } from '../../src/fields/encrypted.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { blindIndex } from '../../src/fields/index-declaration.js';
import { defineModel } from '../../src/fields/model.js';
import { Keyring } from '../../src/keys/keyring.js';
import { addKey, promoteKey } from '../../src/keys/keyring-changes.js';
import { freshKeyring, MADE_AT_MS } from '../fresh-keyring.js';
import { refusalOf } from '../refusal.js';
import { withSqlite } from '../with-sqlite.js';

const model = defineModel({
  users: {
    primaryKey: 'id',
    columns: {
      phone_number: encryptedString({ length: 20 }),
      ssn: encryptedString({ length: 11, alsoReads: ['plaintext'] }),
      api_key_backup: encryptedString({ length: 255 }),
    },
  },
  notes: { primaryKey: 'id', columns: { body: encryptedString() } },
});

/** The guide's tables over `keyring`. */
function tablesOver(keyring: Keyring | (() => Keyring)) {
  const encrypted = encryptedColumns({ model, keyring, customType: customType<EncryptedText> });
  const users = sqliteTable('users', {
    id: integer('id').primaryKey(),
    phoneNumber: encrypted('users', 'phone_number').notNull(),
    ssn: encrypted('users', 'ssn'),
    apiKeyBackup: encrypted('users', 'api_key_backup'),
  });
  const notes = sqliteTable('notes', {
    id: integer('id').primaryKey(),
    userId: integer('user_id').notNull(),
    body: encrypted('notes', 'body').notNull(),
  });
  return {
    users,
    notes,
    usersRelations: relations(users, ({ many }) => ({ notes: many(notes) })),
    notesRelations: relations(notes, ({ one }) => ({
      user: one(users, { fields: [notes.userId], references: [users.id] }),
    })),
  };
}

function openOver(sqlite: Database.Database, keyring: Keyring | (() => Keyring)) {
  const schema = tablesOver(keyring);
  return { db: drizzle(sqlite, { schema }), ...schema };
}

type Opened = ReturnType<typeof openOver> & { sqlite: Database.Database; keyring: Keyring };

async function withUsers(work: (opened: Opened) => void | Promise<void>): Promise<void> {
  const keyring = freshKeyring();
  await withSqlite(async (sqlite) => {
    sqlite.exec(`
      CREATE TABLE users (id INTEGER PRIMARY KEY, phone_number text NOT NULL, ssn text, api_key_backup text);
      CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, body text NOT NULL);
    `);
    await work({ ...openOver(sqlite, keyring), sqlite, keyring });
  });
}

describe('an encrypted column of Drizzle', () => {
  it('is encrypted on its way in and decrypted on its way out', () =>
    withUsers(async ({ db, users, sqlite }) => {
      await db.insert(users).values({ phoneNumber: '+82-10-1234-5678', ssn: '123-45-6789' });
      const stored = sqlite.prepare('SELECT * FROM users').get() as Record<string, string>;
      for (const column of ['phone_number', 'ssn']) expect(stored[column]).toMatch(/^gAAAAA[\w-]+={0,2}$/);
      expect(stored['api_key_backup']).toBeNull();
      expect(await db.select().from(users)).toEqual([
        { id: 1, phoneNumber: '+82-10-1234-5678', ssn: '123-45-6789', apiKeyBackup: null },
      ]);
      expect(await db.select({ phone: users.phoneNumber }).from(users)).toEqual([{ phone: '+82-10-1234-5678' }]);
    }));

  it('is encrypted when it is updated, and null is set and found as NULL', () =>
    withUsers(async ({ db, users, sqlite }) => {
      await db.insert(users).values({ id: 1, phoneNumber: 'one', ssn: '123-45-6789' });
      await db.update(users).set({ phoneNumber: 'two', ssn: null }).where(eq(users.id, 1));
      expect(sqlite.prepare('SELECT ssn FROM users').pluck().get()).toBeNull();
      expect(await db.select().from(users).where(isNull(users.ssn))).toEqual([
        { id: 1, phoneNumber: 'two', ssn: null, apiKeyBackup: null },
      ]);
    }));

  it('returns its value from an insert and takes one of a conflict', () =>
    withUsers(async ({ db, users }) => {
      const insert = (phoneNumber: string) =>
        db
          .insert(users)
          .values({ id: 1, phoneNumber })
          .onConflictDoUpdate({ target: users.id, set: { phoneNumber } })
          .returning({ phoneNumber: users.phoneNumber });
      expect(await insert('one')).toEqual([{ phoneNumber: 'one' }]);
      expect(await insert('two')).toEqual([{ phoneNumber: 'two' }]);
    }));

  it('is encrypted in every row of a bulk insert, each differently', () =>
    withUsers(async ({ db, users, sqlite }) => {
      const values = Array.from({ length: 500 }, (_, i) => ({ phoneNumber: `+82-${i % 2}`, ssn: i % 3 ? '' : null }));
      await db.insert(users).values(values);
      expect(new Set(sqlite.prepare('SELECT phone_number FROM users').pluck().all()).size).toBe(500);
      const rows = await db.select({ phoneNumber: users.phoneNumber, ssn: users.ssn }).from(users);
      expect(rows).toEqual(values);
    }));

  it('is decrypted in relational results, on both sides', () =>
    withUsers(async ({ db, users, notes }) => {
      await db.insert(users).values({ id: 1, phoneNumber: '한글', ssn: null });
      await db.insert(notes).values([
        { userId: 1, body: 'first' },
        { userId: 1, body: 'second' },
      ]);
      const found = await db.query.users.findMany({ with: { notes: { columns: { body: true } } } });
      expect(found).toEqual([
        { id: 1, phoneNumber: '한글', ssn: null, apiKeyBackup: null, notes: [{ body: 'first' }, { body: 'second' }] },
      ]);
      const note = await db.query.notes.findFirst({ with: { user: true } });
      expect(note?.user.phoneNumber).toBe('한글');
    }));

  it('refuses a value that is too long before it reaches the database', () =>
    withUsers(({ db, users, sqlite }) => {
      expect(
        refusalOf(() =>
          db
            .insert(users)
            .values({ phoneNumber: 'x'.repeat(21) })
            .run(),
        ),
      ).toEqual({
        code: 'ERR_VALUE_TOO_LONG',
        message: 'users.phone_number: The text is longer than 20 characters.',
      });
      db.insert(users)
        .values({ phoneNumber: '😀'.repeat(20) })
        .run();
      expect(sqlite.prepare('SELECT count(*) FROM users').pluck().get()).toBe(1);
    }));

  it('names a value that it cannot read by its place, and lets plaintext through where the model says so', () =>
    withUsers(({ db, users, sqlite }) => {
      sqlite.exec("INSERT INTO users VALUES (1, '+82-10-1234-5678', '123-45-6789', NULL)");
      expect(db.select({ ssn: users.ssn }).from(users).all()).toEqual([{ ssn: '123-45-6789' }]);
      expect(refusalOf(() => db.select().from(users).all())).toEqual({
        code: 'ERR_DECRYPT_FAILED',
        message:
          'users.phone_number: The stored value cannot be decrypted: it was written under another key or for another place, altered or is not a token.',
      });
    }));

  it('cannot be found by its value: every encryption differs', () =>
    withUsers(async ({ db, users }) => {
      await db.insert(users).values({ phoneNumber: 'one' });
      expect(await db.select().from(users).where(eq(users.phoneNumber, 'one'))).toEqual([]);
    }));

  it('goes on over a rotation', () =>
    withUsers(async ({ db, users, sqlite, keyring }) => {
      await db.insert(users).values({ phoneNumber: 'before' });
      const { ring, version } = addKey(keyring.snapshot(), null, 'pending', MADE_AT_MS);
      const old = new Keyring(keyring.snapshot());
      keyring.replace(promoteKey(ring, version));
      await db.insert(users).values({ phoneNumber: 'after' });
      expect(await db.select({ phone: users.phoneNumber }).from(users)).toEqual([
        { phone: 'before' },
        { phone: 'after' },
      ]);
      const outdated = openOver(sqlite, old);
      expect(refusalOf(() => outdated.db.select().from(outdated.users).all()).code).toBe('ERR_DECRYPT_FAILED');
    }));

  it('takes its keyring from a function once it is needed', () =>
    withSqlite(async (sqlite) => {
      let keyring: Keyring | null = null;
      const { db, users } = openOver(sqlite, () => {
        if (!keyring) throw new TypeError('the keyring is not open yet');
        return keyring;
      });
      sqlite.exec('CREATE TABLE users (id INTEGER PRIMARY KEY, phone_number text, ssn text, api_key_backup text)');
      expect(() => db.insert(users).values({ phoneNumber: 'x' }).run()).toThrow(
        new TypeError('the keyring is not open yet'),
      );
      keyring = freshKeyring();
      db.insert(users).values({ phoneNumber: 'x' }).run();
      expect(db.select().from(users).get()?.phoneNumber).toBe('x');
    }));

  it('is a text column for migrations, and none that the model does not declare', () => {
    const { users } = tablesOver(freshKeyring());
    expect([users.phoneNumber.getSQLType(), users.phoneNumber.name]).toEqual(['text', 'phone_number']);
    const encrypted = encryptedColumns({ model, keyring: freshKeyring(), customType: customType<EncryptedText> });
    for (const [table, column] of [
      ['users', 'phone'],
      ['user', 'ssn'],
    ]) {
      expect(() => encrypted(table as never, column as never)).toThrow(
        new TypeError(`the model declares no column ${table}.${column}`),
      );
    }
  });
});

describe('a column that a Drizzle column cannot serve', () => {
  const text = codecs.string({ length: 20 });
  const demanding = defineModel({
    users: {
      primaryKey: 'id',
      subject: 'id',
      rows: 1_000_000,
      columns: {
        bound: encryptedColumn(text, { scheme: 'xaes', boundTo: 'row' }),
        becoming: encryptedColumn(text, { alsoReads: ['xaes'], boundTo: 'row' }),
        personal: encryptedColumn(text, { scheme: 'xaes-subject' }),
        packed: encryptedColumn(text, { storage: 'bytes' }),
        found: encryptedColumn(text, { distinct: 900_000, commonest: 1e-5 }),
        all: encryptedColumn(text, {
          ...{ scheme: 'xaes-subject', storage: 'bytes' },
          distinct: 900_000,
          commonest: 1e-5,
        }),
        modest: encryptedColumn(text, { scheme: 'xaes' }),
      },
      indexes: { found_index: blindIndex('found', { bits: 15 }), all_index: blindIndex('all', { bits: 15 }) },
    },
    members: { primaryKey: 'id', tenant: 'org', columns: { name: encryptedColumn(text, { scheme: 'xaes' }) } },
  });
  const keyring = freshKeyring();
  const encrypted = encryptedColumns({ model: demanding, keyring, customType: customType<EncryptedText> });

  it.each([
    ['users', 'bound', 'is bound to its row'],
    ['users', 'becoming', 'is bound to its row'],
    ['users', 'personal', 'is bound to its row'],
    ['users', 'packed', 'is stored as bytes'],
    ['users', 'found', 'has a blind index'],
    ['users', 'all', 'is bound to its row and is stored as bytes and has a blind index'],
    ['members', 'name', 'is bound to its row'],
  ])('is refused: %s.%s %s', (table, column, reasons) => {
    expect(() => encrypted(table as never, column as never)).toThrow(
      new TypeError(
        `${table}.${column} ${reasons}, which a Drizzle column cannot see; declare a plain column and use encryptRow and decryptRow of Table`,
      ),
    );
  });

  it('is none that xaes binds to its column only', () =>
    withSqlite((sqlite) => {
      sqlite.exec('CREATE TABLE users (id INTEGER PRIMARY KEY, modest text)');
      const users = sqliteTable('users', { id: integer('id').primaryKey(), modest: encrypted('users', 'modest') });
      const db = drizzle(sqlite);
      db.insert(users).values({ modest: 'Jane' }).run();
      expect(db.select().from(users).get()).toEqual({ id: 1, modest: 'Jane' });
      expect(sqlite.prepare('SELECT modest FROM users').pluck().get()).toMatch(/^A[\w-]+$/);
    }));
});
