import { stat } from 'node:fs/promises';
import Database from 'better-sqlite3';
import { Fernet } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { scanDatabase } from '../../src/usecases/scan-database.js';
import { sweepTables } from '../../src/usecases/sweep-tables.js';
import { rejectionOf } from '../refusal.js';
import { configText, type Project, type ProjectOptions, withProject } from '../with-project.js';
import { dependenciesOf } from './dependencies-of.js';

const SQL = `
  CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, email TEXT, phone TEXT, dob TEXT, order_no TEXT, made_at TEXT, secret TEXT);
  CREATE TABLE "odd ""table""" (a TEXT, b TEXT, "e mail" TEXT, PRIMARY KEY (b, a));
  CREATE TABLE empty (id INTEGER PRIMARY KEY, email TEXT);
  INSERT INTO people (name, email, phone, dob, order_no, made_at) VALUES
    ('Ada', 'ada@example.com', '(555) 123-4567', '1990-01-02', '4111111111111112', '2026-01-01'),
    ('Brook', 'brook@example.com', '(555) 123-4568', '1991-01-02', '4111111111111113', '2026-01-02');
  INSERT INTO "odd ""table""" VALUES ('1', '2', 'chidi@example.com');
`;

const UNREADABLE = new Fernet(Fernet.generateKey());

function scanned(project: Project, env?: Record<string, string>) {
  return scanDatabase(dependenciesOf(project, env ? { env } : {}));
}

const OPTIONS: ProjectOptions = { sql: SQL, config: null };

describe('a scan', () => {
  it('finds what looks like personal data, and prints a declaration that loads and encrypts', async () => {
    await withProject(OPTIONS, async (project) => {
      const report = await scanned(project);
      expect(report.columns.map(({ table, column, looksLike }) => [table, column, looksLike])).toEqual([
        ['odd "table"', 'e mail', 'email'],
        ['people', 'email', 'email'],
        ['people', 'phone', 'phone'],
        ['people', 'dob', 'birth_date'],
      ]);
      await project.write('fieldseal.config.ts', report.declaration as string);
      const encrypted = await sweepTables(dependenciesOf(project), 'encrypt', {
        dryRun: false,
        maxRowsPerSecond: null,
        allowTriggers: false,
      });
      expect(encrypted).toMatchObject({ status: 'completed', counts: { total: 7, rotated: 7 } });

      const after = await scanned(project);
      expect(after.declaration).toBeNull();
      expect(after.columns.map(({ column, declared, held }) => [column, declared, held])).toEqual([
        ['e mail', true, { v1: 1 }],
        ['email', true, { v1: 2 }],
        ['phone', true, { v1: 2 }],
        ['dob', true, { v1: 2 }],
      ]);
    });
  });

  it('tells tokens that no key opens, plaintext and each key apart, and declares columns that hold tokens', async () => {
    await withProject(OPTIONS, async (project) => {
      const own = new Fernet(project.key);
      project.db((db) => {
        const insert = db.prepare('INSERT INTO people (secret) VALUES (?)');
        for (const value of [own.encrypt('a'), own.encrypt('b'), UNREADABLE.encrypt('c'), 'plain']) insert.run(value);
      });
      const report = await scanned(project);
      expect(report.columns.find(({ column }) => column === 'secret')).toEqual({
        table: 'people',
        column: 'secret',
        declared: false,
        sampled: 4,
        held: { v1: 2, unreadable: 1, plaintext: 1 },
        looksLike: null,
      });
      expect(report.declaration).toContain('"secret": encryptedString(');
    });
  });

  it('runs without any key; tokens count as plaintext then', async () => {
    await withProject(OPTIONS, async (project) => {
      project.db((db) => db.prepare('INSERT INTO people (secret) VALUES (?)').run(UNREADABLE.encrypt('c')));
      const report = await scanned(project, {});
      expect(report.columns.map(({ column }) => column)).toEqual(['e mail', 'email', 'phone', 'dob']);
    });
  });

  it('lists what is declared: also columns that are empty, hold plaintext, or are not there', async () => {
    const config = configText(`
      PEOPLE: { primaryKey: 'id', columns: { Name: encryptedString(), fax: encryptedString() } },
      empty: { primaryKey: 'id', columns: { email: encryptedString() } },
      gone: { primaryKey: 'id', columns: { email: encryptedString() } }`);
    await withProject({ sql: SQL, config }, async (project) => {
      const report = await scanned(project);
      const declared = report.columns.filter((column) => column.declared);
      expect(declared.map(({ table, column, sampled, held }) => [table, column, sampled, held])).toEqual([
        ['empty', 'email', 0, {}],
        ['people', 'name', 2, { plaintext: 2 }],
      ]);
      expect(report.absent).toEqual(['PEOPLE.fax', 'gone.email']);
      expect(report.declaration).not.toContain('"name"');
    });
  });

  it('does not list Fieldseal’s own tables, and finds nothing in a database without text', async () => {
    await withProject({ sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)', config: null }, async (project) => {
      await project.write(
        'fieldseal.config.mjs',
        configText("u: { primaryKey: 'id', columns: { email: encryptedString({ alsoReads: ['plaintext'] }) } }"),
      );
      project.db((db) =>
        db.exec("CREATE TABLE u (id INTEGER PRIMARY KEY, email TEXT); INSERT INTO u VALUES (1, 'a@b.cd')"),
      );
      await sweepTables(dependenciesOf(project), 'encrypt', {
        dryRun: false,
        maxRowsPerSecond: null,
        allowTriggers: false,
      });
      expect((await scanned(project)).columns.map(({ table, column }) => [table, column])).toEqual([['u', 'email']]);
    });
    await withProject({ sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)', config: null }, async (project) => {
      expect(await scanned(project)).toEqual({ columns: [], absent: [], declaration: null });
    });
  });

  it('samples both ends of a large table', async () => {
    const sql = `CREATE TABLE t (id INTEGER PRIMARY KEY, contact TEXT);
      WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
      INSERT INTO t SELECT i, CASE WHEN i > 2000 THEN 'a' || i || '@example.com' ELSE 'none' END FROM n`;
    await withProject({ sql, config: null }, async (project) => {
      project.db((db) => db.exec("UPDATE t SET contact = 'b@example.com' WHERE id <= 200"));
      expect((await scanned(project)).columns).toMatchObject([
        { column: 'contact', sampled: 1000, looksLike: 'email', held: { plaintext: 1000 } },
      ]);
    });
  });

  it('declares a table without a key so that loading says what is missing', async () => {
    await withProject(
      { sql: `CREATE TABLE t (email TEXT); INSERT INTO t VALUES ('a@b.cd')`, config: null },
      async (project) => {
        const { columns, declaration } = await scanned(project);
        expect(columns).toMatchObject([{ column: 'email', looksLike: 'email' }]);
        await project.write('fieldseal.config.ts', declaration as string);
        const sweep = sweepTables(dependenciesOf(project), 'encrypt', {
          dryRun: false,
          maxRowsPerSecond: null,
          allowTriggers: false,
        });
        expect(await rejectionOf(() => sweep)).toEqual({
          code: 'ERR_MODEL_INVALID',
          message: 'The model has 1 mistake(s): t: primaryKey is missing.',
        });
      },
    );
  });

  it('changes not a byte of the database, and leaves no journal', async () => {
    await withProject(OPTIONS, async (project) => {
      const before = await project.databaseFiles();
      await scanned(project);
      expect(await project.databaseFiles()).toEqual(before);
      expect(Object.keys(before)).toEqual(['app.db']);
    });
  });

  it('changes not a byte of a database in WAL mode either, beside an application that has it open', async () => {
    await withProject(OPTIONS, async (project) => {
      const app = new Database(project.file);
      try {
        app.pragma('journal_mode = WAL');
        app.exec("UPDATE people SET name = 'Zoe'");
        const { 'app.db-shm': _sharedBefore, ...before } = await project.databaseFiles();
        await scanned(project);
        const { 'app.db-shm': _sharedAfter, ...after } = await project.databaseFiles();
        expect(after).toEqual(before);
      } finally {
        app.close();
      }
    });
  });

  it('leaves an empty WAL, as SQLite does, of a database in WAL mode that nobody has open', async () => {
    await withProject(OPTIONS, async (project) => {
      project.db((db) => db.pragma('journal_mode = WAL'));
      const before = await project.databaseFiles();
      await scanned(project);
      expect(await project.databaseFiles()).toMatchObject(before);
      expect((await stat(`${project.file}-wal`)).size).toBe(0);
    });
  });

  it('is refused without a database', async () => {
    await withProject({ sql: null, config: null }, async (project) => {
      expect(await rejectionOf(() => scanned(project))).toEqual({
        code: 'ERR_DATABASE_NOT_FOUND',
        message: `The database ${project.file} does not exist or cannot be opened; check the path in DATABASE_URL.`,
      });
    });
  });
});
