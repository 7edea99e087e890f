/** A small application: customers in SQLite, with two columns that Drizzle encrypts, and one that is bound to its row. */
import Database from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { customType, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { databaseProvider, type Keyring, openKeyring, Table } from 'fieldseal';
import { type EncryptedText, encryptedColumns } from 'fieldseal/drizzle';
import { model } from './fieldseal.config.ts';

/** The table, on an open keyring. */
export function customersTable(keyring: Keyring) {
  const encrypted = encryptedColumns({ model, keyring, customType: customType<EncryptedText> });
  return sqliteTable('customers', {
    id: integer('id').primaryKey(),
    name: text('name').notNull(),
    phone: encrypted('customers', 'phone'),
    // What these hold is the work of `Table`: a column hook sees no row.
    email: text('email'),
    emailIndex: text('email_index'),
    ssn: encrypted('customers', 'ssn'),
    city: text('city').notNull(),
  });
}

/** Opens the database and the keyring that is stored in it. */
export async function openApplication(file: string, rootKey: string) {
  const sqlite = new Database(file, { timeout: 10_000 });
  const query = (sql: string, params: readonly (string | number)[]) =>
    sqlite.prepare(sql).all(...params) as Record<string, unknown>[];
  // Once a second, so that the demo's rotation has little to wait for; the default is every 10 seconds.
  const keyring = await openKeyring(databaseProvider({ dialect: 'sqlite', query, rootKey }), { refreshSeconds: 1 });
  return {
    db: drizzle(sqlite),
    sqlite,
    customers: customersTable(keyring),
    rows: new Table(model, 'customers', keyring),
    async close() {
      await keyring.close();
      sqlite.close();
    },
  };
}
