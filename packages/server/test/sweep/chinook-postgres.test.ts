import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { customType, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { databaseProvider, defineModel, encryptedString, openKeyring } from 'fieldseal';
import { type EncryptedText, encryptedColumns } from 'fieldseal/drizzle';
import { expect, test } from 'vitest';
import { type PostgresProject, withPostgresProject } from '../with-postgres-database.ts';
import { configText } from '../with-project.ts';

/** Chinook for PostgreSQL, with names in snake_case. It stands beside the checkout where there is one. */
const CHINOOK = fileURLToPath(new URL('../../../../../shared/data/chinook-postgresql.sql', import.meta.url));

const LENGTHS = { first_name: 40, last_name: 20, address: 70, phone: 24, fax: 24, email: 60 };
const PERSON = Object.keys(LENGTHS);
const columns = () => ({
  first_name: encryptedString({ length: 40 }),
  last_name: encryptedString({ length: 20 }),
  address: encryptedString({ length: 70 }),
  phone: encryptedString({ length: 24 }),
  fax: encryptedString({ length: 24 }),
  email: encryptedString({ length: 60 }),
});
const model = defineModel({
  customer: { primaryKey: 'customer_id', columns: columns() },
  employee: { primaryKey: 'employee_id', columns: columns() },
  customer_note: {
    primaryKey: ['customer_id', 'language'],
    columns: { body: encryptedString({ alsoReads: ['plaintext'] }) },
  },
});
const CONFIG = configText(`
  customer: { primaryKey: 'customer_id', columns: person() },
  employee: { primaryKey: 'employee_id', columns: person() },
  customer_note: { primaryKey: ['customer_id', 'language'], columns: { body: encryptedString({ alsoReads: ['plaintext'] }) } },
`).concat(`function person() {
  return Object.fromEntries(Object.entries(${JSON.stringify(LENGTHS)}).map(([name, length]) =>
    [name, encryptedString({ length, alsoReads: ['plaintext'] })]));
}`);

const NOTES_SQL = `
  CREATE TABLE customer_note (customer_id int NOT NULL, language text NOT NULL, body text, PRIMARY KEY (customer_id, language));
  INSERT INTO customer_note SELECT customer_id, 'de', 'Grüße an ' || first_name FROM customer;
  INSERT INTO customer_note SELECT customer_id, 'ja', last_name || 'さん 🎵' FROM customer;
  INSERT INTO customer_note SELECT customer_id, 'xx', CASE customer_id % 2 WHEN 0 THEN '' ELSE NULL END FROM customer;`;

/** The script without what makes a database and connects to it. */
function chinookSql(): string {
  const script = readFileSync(CHINOOK, 'utf8');
  return script.slice(script.indexOf('CREATE TABLE')) + NOTES_SQL;
}

/** Every row of every table of the application, as text. */
async function everyRow({ rows }: PostgresProject): Promise<Record<string, unknown>> {
  const names = await rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1");
  const all: Record<string, unknown> = {};
  for (const [name] of names) all[String(name)] = await rows(`SELECT t::text FROM "${name}" AS t ORDER BY 1`);
  return all;
}

/** What an application sees through Drizzle. */
async function readThroughDrizzle({ client, project }: PostgresProject) {
  const query = async (sql: string, parameters: readonly unknown[]) => (await client.query(sql, [...parameters])).rows;
  const keyring = await openKeyring(databaseProvider({ dialect: 'postgres', query, rootKey: project.key }));
  const encrypted = encryptedColumns({ model, keyring, customType: customType<EncryptedText> });
  const person = (table: 'customer' | 'employee') => ({
    first_name: encrypted(table, 'first_name'),
    last_name: encrypted(table, 'last_name'),
    address: encrypted(table, 'address'),
    phone: encrypted(table, 'phone'),
    fax: encrypted(table, 'fax'),
    email: encrypted(table, 'email'),
  });
  const customers = pgTable('customer', { customer_id: integer('customer_id').primaryKey(), ...person('customer') });
  const employees = pgTable('employee', { employee_id: integer('employee_id').primaryKey(), ...person('employee') });
  const notes = pgTable(
    'customer_note',
    { customer_id: integer('customer_id'), language: text('language'), body: encrypted('customer_note', 'body') },
    (table) => [primaryKey({ columns: [table.customer_id, table.language] })],
  );
  const db = drizzle(client);
  const rows = {
    customer: await db.select().from(customers).orderBy(customers.customer_id),
    employee: await db.select().from(employees).orderBy(employees.employee_id),
    customer_note: await db.select().from(notes).orderBy(notes.customer_id, notes.language),
  };
  await keyring.close();
  return rows;
}

/** The same rows, read as they stand. */
async function readPlain({ client }: PostgresProject) {
  const person = PERSON.join(', ');
  return {
    customer: (await client.query(`SELECT customer_id, ${person} FROM customer ORDER BY customer_id`)).rows,
    employee: (await client.query(`SELECT employee_id, ${person} FROM employee ORDER BY employee_id`)).rows,
    customer_note: (await client.query('SELECT * FROM customer_note ORDER BY customer_id, language')).rows,
  };
}

test.skipIf(!existsSync(CHINOOK))(
  'Chinook on PostgreSQL: its narrow columns are refused and mended as told; it is encrypted, read through Drizzle, rotated, verified and decrypted without a row changing (skipped where the sample database is not beside the checkout)',
  () =>
    withPostgresProject({ sql: chinookSql(), config: CONFIG }, async (place) => {
      const before = await everyRow(place);
      const plain = await readPlain(place);
      const refused = await place.fieldseal('encrypt', '--json');
      expect([refused.exitCode, refused.last.code]).toEqual([2, 'ERR_COLUMN_UNSUITABLE']);
      const mends = String(refused.last.message).match(/ALTER TABLE \S+ ALTER COLUMN \S+ TYPE text/g) ?? [];
      expect(mends).toHaveLength(2 * PERSON.length);
      for (const mend of mends) await place.client.query(mend);

      const encrypted = await place.fieldseal('encrypt', '--json');
      expect(encrypted.last).toMatchObject({ status: 'completed', counts: { skipped: 0, failed: 0 } });
      const stored = await readPlain(place);
      for (const row of [...stored.customer, ...stored.employee]) {
        for (const name of PERSON) expect(row[name] === null || row[name].startsWith('gAAAAA')).toBe(true);
      }
      expect(await readThroughDrizzle(place)).toEqual(plain);

      const rotated = await place.fieldseal('rotate', '--json');
      const { total } = encrypted.last.counts;
      const counts = { total, rotated: total };
      expect(rotated.last).toMatchObject({ status: 'completed', newKeyVersion: 'v2', counts });
      expect(await readThroughDrizzle(place)).toEqual(plain);

      const verified = await place.fieldseal('verify', '--json');
      expect(verified.last).toMatchObject({ status: 'completed', counts: { total, current: total, failed: 0 } });
      for (const column of verified.last.columns) expect(Object.keys(column.held)).toEqual(['v2']);

      const decrypted = await place.fieldseal('decrypt', '--json');
      expect(decrypted.last).toMatchObject({ status: 'completed', counts });
      expect(await everyRow(place)).toEqual(before);
    }),
);
