/**
 * A read of 10,000 rows with three encrypted columns through Drizzle on SQLite, beside the same read of a table that holds
 * the same plaintext, and beside 30,000 single decrypts and a batch of them. The plain table's texts are shorter than
 * tokens; that the longer ones have to be read is a cost of encryption, and counts as one.
 */
import type Database from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { customType, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { defineModel, EncryptionService, encryptedString, Fernet, keyringFromEnv, Table } from 'fieldseal';
import { type EncryptedText, encryptedColumns } from 'fieldseal/drizzle';
import { processorNanoseconds } from './contestant.ts';
import { AT_ONCE, BATCH_DECRYPT, HOOKS, SINGLE_DECRYPTS } from './run.ts';
import { type Rules, type Turn, takeTurns } from './turns.ts';

const PAGE_ROWS = 10_000;
const PLAIN = 'the read, unencrypted';
const JUST_READ = 'a batch of 30,000 decrypts of what was just read';
const TOKENS = 'what the longer tokens add to the read, undecrypted';

const model = defineModel({
  users: {
    primaryKey: 'id',
    columns: { name: encryptedString(), address: encryptedString(), note: encryptedString() },
  },
});

function fill(sqlite: Database.Database, table: string, rows: readonly Record<string, unknown>[]): void {
  sqlite.exec(`CREATE TABLE ${table} (id INTEGER PRIMARY KEY, name TEXT, address TEXT, note TEXT)`);
  const insert = sqlite.prepare(`INSERT INTO ${table} VALUES (@id, @name, @address, @note)`);
  sqlite.transaction(() => {
    for (const row of rows) insert.run(row);
  })();
}

/** One after the other; each has to bring everything. */
function bringing(name: string, expected: number, work: () => readonly unknown[]): Turn {
  return {
    name,
    async measure(times) {
      const start = processorNanoseconds();
      for (let i = 0; i < times; i++) {
        const { length } = work();
        if (length !== expected) throw new Error(`${name} brought ${length}`);
      }
      return (processorNanoseconds() - start) / times;
    },
  };
}

export async function measurePage(key: string, rules: Rules, Driver: typeof Database): Promise<Record<string, number>> {
  const sqlite = new Driver(':memory:');
  const db = drizzle(sqlite);
  const keyring = keyringFromEnv({ ENCRYPTION_KEY: key });
  const [service, fernet, users] = [
    new EncryptionService(keyring),
    new Fernet(key),
    new Table(model, 'users', keyring),
  ];
  const rows = Array.from({ length: PAGE_ROWS }, (_, id) => {
    const value = String(id).padEnd(100, 'x');
    return { id, name: value, address: value, note: value };
  });
  const stored = users.encryptRows(rows);
  fill(sqlite, 'plain_users', rows);
  fill(sqlite, 'users', stored);
  const tokens = stored.flatMap(({ name, address, note }) => [name, address, note] as string[]);

  const encrypted = encryptedColumns({ model, keyring, customType: customType<EncryptedText> });
  const columns = { id: integer('id').primaryKey(), name: text('name'), address: text('address'), note: text('note') };
  const plainTable = sqliteTable('plain_users', columns);
  const tokenTable = sqliteTable('users', columns);
  const hookedTable = sqliteTable('users', {
    id: integer('id').primaryKey(),
    name: encrypted('users', 'name'),
    address: encrypted('users', 'address'),
    note: encrypted('users', 'note'),
  });
  try {
    const taken = await takeTurns(
      [
        bringing(PLAIN, PAGE_ROWS, () => db.select().from(plainTable).all()),
        bringing(TOKENS, PAGE_ROWS, () => db.select().from(tokenTable).all()),
        bringing(HOOKS, PAGE_ROWS, () => db.select().from(hookedTable).all()),
        bringing(AT_ONCE, PAGE_ROWS, () => users.decryptRows(db.select().from(tokenTable).all())),
        bringing(SINGLE_DECRYPTS, tokens.length, () => tokens.map((token) => fernet.decrypt(token))),
        bringing(JUST_READ, tokens.length, () =>
          service.decryptFields(
            db
              .select()
              .from(tokenTable)
              .all()
              .flatMap(({ name, address, note }) => [name, address, note]),
          ),
        ),
        bringing(BATCH_DECRYPT, tokens.length, () => service.decryptFields(tokens)),
      ],
      rules,
    );
    const [plain, read] = [taken[PLAIN] as number, taken[TOKENS] as number];
    const added = [TOKENS, HOOKS, AT_ONCE].map((name) => [name, (taken[name] as number) - plain]);
    return { ...taken, ...Object.fromEntries(added), [JUST_READ]: (taken[JUST_READ] as number) - read };
  } finally {
    sqlite.close();
  }
}
