import { copyFileSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { customType, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { databaseProvider, defineModel, encryptedString, openKeyring } from 'fieldseal';
import { type EncryptedText, encryptedColumns } from 'fieldseal/drizzle';
import { expect, test } from 'vitest';
import { configText, type Project, withProject } from '../with-project.ts';

/** Chinook, the public sample database: CamelCase names, Unicode, NULLs. It stands beside the checkout where there is one. */
const CHINOOK = fileURLToPath(new URL('../../../../../shared/data/chinook.sqlite', import.meta.url));

const PERSON = ['FirstName', 'LastName', 'Address', 'Phone', 'Fax', 'Email'] as const;
const columns = () => ({
  FirstName: encryptedString({ length: 40 }),
  LastName: encryptedString({ length: 20 }),
  Address: encryptedString({ length: 70 }),
  Phone: encryptedString({ length: 24 }),
  Fax: encryptedString({ length: 24 }),
  Email: encryptedString({ length: 60 }),
});
const model = defineModel({
  Customer: { primaryKey: 'CustomerId', columns: columns() },
  Employee: { primaryKey: 'EmployeeId', columns: columns() },
  CustomerNote: {
    primaryKey: ['CustomerId', 'Language'],
    columns: { Body: encryptedString({ alsoReads: ['plaintext'] }) },
  },
});
const CONFIG = configText(`
  Customer: { primaryKey: 'CustomerId', columns: person() },
  Employee: { primaryKey: 'EmployeeId', columns: person() },
  CustomerNote: { primaryKey: ['CustomerId', 'Language'], columns: { Body: encryptedString({ alsoReads: ['plaintext'] }) } },
`).concat(`function person() {
  const lengths = { FirstName: 40, LastName: 20, Address: 70, Phone: 24, Fax: 24, Email: 60 };
  return Object.fromEntries(Object.entries(lengths).map(([name, length]) => [name, encryptedString({ length, alsoReads: ['plaintext'] })]));
}`);

/** Notes in several languages: a composite key, one part of it text, and values with emoji, '' and NULL. */
const NOTES_SQL = `
  CREATE TABLE CustomerNote (CustomerId INTEGER NOT NULL, Language TEXT NOT NULL, Body TEXT, PRIMARY KEY (CustomerId, Language));
  INSERT INTO CustomerNote SELECT CustomerId, 'de', 'Grüße an ' || FirstName FROM Customer;
  INSERT INTO CustomerNote SELECT CustomerId, 'ja', LastName || 'さん 🎵' FROM Customer;
  INSERT INTO CustomerNote SELECT CustomerId, 'xx', CASE CustomerId % 2 WHEN 0 THEN '' ELSE NULL END FROM Customer;`;

/** Every cell of every table that is not ours, with its storage class. */
function everyCell(file: string): Record<string, unknown[]> {
  const db = new Database(file, { readonly: true });
  const own = /^(fieldseal_|encryption_|keyring_|sweep_|subject_|audit_|api_key|sqlite_)/;
  const tables = (
    db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all() as string[]
  ).filter((name) => !own.test(name));
  const cells = tables.map((table) => {
    const names = db.prepare('SELECT name FROM pragma_table_info(?)').pluck().all(table) as string[];
    const select = names.map((name) => `typeof("${name}"), "${name}"`).join(', ');
    return [
      table,
      db.prepare(`SELECT ${select} FROM "${table}" ORDER BY 2, 4`).raw(true).safeIntegers(true).all(),
    ] as const;
  });
  db.close();
  return Object.fromEntries(cells);
}

/** What an application sees through Drizzle. */
async function readThroughDrizzle(project: Project) {
  const sqlite = new Database(project.file);
  const query = (sql: string, params: readonly (string | number)[]) =>
    sqlite.prepare(sql).all(...params) as Record<string, unknown>[];
  const keyring = await openKeyring(databaseProvider({ dialect: 'sqlite', query, rootKey: project.key }));
  const encrypted = encryptedColumns({ model, keyring, customType: customType<EncryptedText> });
  const person = (table: 'Customer' | 'Employee') => ({
    FirstName: encrypted(table, 'FirstName'),
    LastName: encrypted(table, 'LastName'),
    Address: encrypted(table, 'Address'),
    Phone: encrypted(table, 'Phone'),
    Fax: encrypted(table, 'Fax'),
    Email: encrypted(table, 'Email'),
  });
  const customers = sqliteTable('Customer', { CustomerId: integer('CustomerId').primaryKey(), ...person('Customer') });
  const employees = sqliteTable('Employee', { EmployeeId: integer('EmployeeId').primaryKey(), ...person('Employee') });
  const notes = sqliteTable(
    'CustomerNote',
    { CustomerId: integer('CustomerId'), Language: text('Language'), Body: encrypted('CustomerNote', 'Body') },
    (table) => [primaryKey({ columns: [table.CustomerId, table.Language] })],
  );
  const db = drizzle(sqlite);
  const rows = {
    Customer: db.select().from(customers).orderBy(customers.CustomerId).all(),
    Employee: db.select().from(employees).orderBy(employees.EmployeeId).all(),
    CustomerNote: db.select().from(notes).orderBy(notes.CustomerId, notes.Language).all(),
  };
  await keyring.close();
  sqlite.close();
  return rows;
}

/** The same rows, read as they stand in the plaintext original. */
function readPlain(file: string) {
  const db = new Database(file, { readonly: true });
  const person = PERSON.map((name) => `"${name}"`).join(', ');
  const rows = {
    Customer: db.prepare(`SELECT CustomerId, ${person} FROM Customer ORDER BY CustomerId`).all(),
    Employee: db.prepare(`SELECT EmployeeId, ${person} FROM Employee ORDER BY EmployeeId`).all(),
    CustomerNote: db.prepare('SELECT CustomerId, Language, Body FROM CustomerNote ORDER BY CustomerId, Language').all(),
  };
  db.close();
  return rows;
}

test.skipIf(!existsSync(CHINOOK))(
  'Chinook is encrypted, read through Drizzle, rotated, verified and decrypted without a cell changing (skipped where the sample database is not beside the checkout)',
  async () => {
    await withProject({ sql: null, config: CONFIG }, async (project) => {
      copyFileSync(CHINOOK, project.file);
      project.db((db) => db.exec(NOTES_SQL));
      const original = `${project.file}.original`;
      copyFileSync(project.file, original);
      const plain = readPlain(original);

      const encrypted = await project.fieldseal('encrypt', '--json');
      expect(encrypted.last).toMatchObject({ status: 'completed', counts: { skipped: 0, failed: 0 } });
      const stored = readPlain(project.file);
      for (const row of [...stored.Customer, ...stored.Employee] as Record<string, string | null>[]) {
        for (const name of PERSON) expect(row[name] === null || row[name]?.startsWith('gAAAAA')).toBe(true);
      }
      expect(await readThroughDrizzle(project)).toEqual(plain);

      const rotated = await project.fieldseal('rotate', '--json');
      const { total } = encrypted.last.counts;
      expect(rotated.last).toMatchObject({
        status: 'completed',
        newKeyVersion: 'v2',
        counts: { total, rotated: total },
      });
      expect(await readThroughDrizzle(project)).toEqual(plain);

      const verified = await project.fieldseal('verify', '--json');
      expect(verified.last).toMatchObject({ status: 'completed', counts: { total, current: total, failed: 0 } });
      for (const column of verified.last.columns) expect(Object.keys(column.held)).toEqual(['v2']);

      const decrypted = await project.fieldseal('decrypt', '--json');
      expect(decrypted.last).toMatchObject({ status: 'completed', counts: { total, rotated: total } });
      expect(everyCell(project.file)).toEqual(everyCell(original));
    });
  },
);
