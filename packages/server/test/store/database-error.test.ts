import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { FieldsealError } from 'fieldseal';
import { Kysely, sql } from 'kysely';
import pg from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { databaseError } from '../../src/store/database-error.js';
import { openSqlite } from '../../src/store/open-sqlite.js';
import { openStore } from '../../src/store/open-store.js';
import { sqliteDialect } from '../../src/store/sqlite-dialect.js';
import { withDatabaseErrors } from '../../src/store/with-database-errors.js';
import { withPostgresSchema } from '../postgres.js';
import { withSqliteFile } from './sqlite-file.js';

/** What `databaseError` makes of the error that `work` throws. */
async function errorOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return databaseError(error);
  }
  throw new Error('it did not fail');
}

describe('an error of SQLite', () => {
  it('for a file that is no database says so', () =>
    withSqliteFile(async (file) => {
      await writeFile(file, 'this is a text file and not a database at all'.repeat(100));
      await expect(openStore({ dialect: 'sqlite', file })).rejects.toMatchObject({
        code: 'ERR_DATABASE_FOREIGN',
        message: `The database ${file} is not a SQLite database; check the path in DATABASE_URL.`,
      });
    }));

  it('for a missing file names it when the file must exist', () =>
    withSqliteFile(async (file) => {
      for (const options of [{ mustExist: true }, { readOnly: true }]) {
        await expect(openStore({ dialect: 'sqlite', file }, options)).rejects.toMatchObject({
          code: 'ERR_DATABASE_NOT_FOUND',
          message: `The database ${file} does not exist or cannot be opened; check the path in DATABASE_URL.`,
        });
      }
      const elsewhere = join(file, 'missing', 'x.db');
      await expect(openStore({ dialect: 'sqlite', file: elsewhere })).rejects.toMatchObject({
        code: 'ERR_DATABASE_NOT_FOUND',
      });
    }));

  it('for a file that cannot be made or written says that', () =>
    withSqliteFile(async (file) => {
      const folder = join(dirname(file), 'folder');
      await mkdir(folder);
      await expect(openStore({ dialect: 'sqlite', file: folder })).rejects.toMatchObject({
        code: 'ERR_DATABASE_READ_ONLY',
        message: `The database ${folder} cannot be written (SQLITE_CANTOPEN); check the rights to the file and its folder.`,
      });
      new Database(file).exec('create table t (a)').close();
      const readOnly = openSqlite(file, { readOnly: true });
      expect(await errorOf(() => readOnly.exec('insert into t values (1)'))).toMatchObject({
        code: 'ERR_DATABASE_READ_ONLY',
        message: 'The database cannot be written (SQLITE_READONLY); check the rights to the file and its folder.',
      });
      readOnly.close();
    }));

  it('for a lock that does not go away says that another process has it', () =>
    withSqliteFile(async (file) => {
      const holder = new Database(file);
      holder.exec('begin immediate');
      const waiting = openSqlite(file, { busyTimeoutMs: 0 });
      expect(await errorOf(() => waiting.exec('begin immediate'))).toMatchObject({
        code: 'ERR_DATABASE_BUSY',
        message: 'The database stayed locked by another process (SQLITE_BUSY); try again when that is done.',
      });
      holder.close();
      waiting.close();
    }));

  it('keeps names out of the schema and drops values', () =>
    withSqliteFile(async (file) => {
      const database = new Database(file);
      database.exec(`create table t (a text unique, b text check (b <> 'hunter2') not null)`);
      database.exec(
        `create trigger tr before delete on t begin select raise(abort, 'UNIQUE constraint failed: hunter2'); end`,
      );
      database.exec(`insert into t values ('hunter2', '')`);
      const failures: [string, string, string][] = [
        [
          `insert into t values ('hunter2', '')`,
          'ERR_DATABASE_FAILED',
          '(SQLITE_CONSTRAINT_UNIQUE: UNIQUE constraint failed: t.a)',
        ],
        [
          `insert into t values ('x', null)`,
          'ERR_DATABASE_FAILED',
          '(SQLITE_CONSTRAINT_NOTNULL: NOT NULL constraint failed: t.b)',
        ],
        ['delete from t', 'ERR_DATABASE_FAILED', '(SQLITE_CONSTRAINT_TRIGGER)'],
        ['select c from t', 'ERR_DATABASE_FAILED', '(SQLITE_ERROR: no such column: c)'],
        ['select * from missing', 'ERR_TABLE_NOT_FOUND', 'has no table missing'],
        [`select 'hunter2`, 'ERR_DATABASE_FAILED', '(SQLITE_ERROR)'],
      ];
      for (const [statement, code, message] of failures) {
        const error = await errorOf(() => database.exec(statement));
        expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
        expect(JSON.stringify(error) + String(error)).not.toContain('hunter2');
      }
      database.close();
    }));

  it('for a full disk is the one that is seen, though SQLite has rolled back by itself', () =>
    withSqliteFile(async (file) => {
      const database = openSqlite(file);
      database.exec('create table t (a blob)');
      database.pragma('max_page_count = 4');
      const dialect = withDatabaseErrors(sqliteDialect(database), {
        name: 'The database',
        absentTablesAreEmpty: false,
      });
      const db = new Kysely<object>({ dialect });
      const filling = db.transaction().execute((tx) => sql`insert into t values (zeroblob(1000000))`.execute(tx));
      await expect(filling).rejects.toMatchObject({
        code: 'ERR_DATABASE_FAILED',
        message: 'The database has no room left on its disk (SQLITE_FULL).',
      });
      await db.transaction().execute((tx) => sql`insert into t values (1)`.execute(tx));
      await db.destroy();
    }));
});

describe('an error of PostgreSQL', () => {
  const withUrl = (change: (url: URL) => void) => {
    const url = new URL(inject('postgresUrl'));
    change(url);
    return openStore({ dialect: 'postgres', connectionString: url.href });
  };

  it('for a server, database or user that is not there tells which, and never the password', async () => {
    const host = new URL(inject('postgresUrl')).host;
    await expect(withUrl((url) => Object.assign(url, { password: 'hunter2' }))).rejects.toMatchObject({
      code: 'ERR_DATABASE_NOT_FOUND',
      message: `The database postgres on ${host} refuses the user or the password of DATABASE_URL (28P01).`,
    });
    await expect(withUrl((url) => Object.assign(url, { password: '' }))).rejects.toMatchObject({
      code: 'ERR_DATABASE_NOT_FOUND',
    });
    await expect(withUrl((url) => Object.assign(url, { pathname: '/missing' }))).rejects.toMatchObject({
      code: 'ERR_DATABASE_NOT_FOUND',
      message: `The database missing on ${host} does not exist (3D000); create it first.`,
    });
    await expect(withUrl((url) => Object.assign(url, { port: '1' }))).rejects.toMatchObject({
      code: 'ERR_DATABASE_NOT_FOUND',
      message:
        'The database postgres on 127.0.0.1:1 cannot be reached (ECONNREFUSED); check that it runs and that DATABASE_URL is right.',
    });
    await expect(withUrl((url) => url.searchParams.set('sslmode', 'verify-full'))).rejects.toMatchObject({
      code: 'ERR_DATABASE_NOT_FOUND',
      message: expect.stringContaining('cannot be reached'),
    });
  });

  it('keeps the code and names out of the schema, and drops values', () =>
    withPostgresSchema(async ({ url, schema, client }) => {
      await client.query(`create schema ${schema}`);
      await client.query(`create table ${schema}.t (a text constraint a_once unique, b int)`);
      await client.query(`insert into ${schema}.t values ('hunter2')`);
      const failures: [string, string, string][] = [
        [`insert into ${schema}.t values ('hunter2')`, 'ERR_DATABASE_FAILED', 'The database failed (23505 t a_once).'],
        [`insert into ${schema}.t (b) values ('hunter2')`, 'ERR_DATABASE_FAILED', 'The database failed (22P02).'],
        [
          `select * from ${schema}.missing`,
          'ERR_TABLE_NOT_FOUND',
          `The database lacks a table (relation "${schema}.missing" does not exist).`,
        ],
        [
          'set statement_timeout = 1; select pg_sleep(10)',
          'ERR_DATABASE_BUSY',
          'The database stayed locked by another transaction (57014); try again when that is done.',
        ],
        [
          `set default_transaction_read_only = on; insert into ${schema}.t values ('x')`,
          'ERR_DATABASE_READ_ONLY',
          'The database cannot be written (25006); give DATABASE_URL its primary server.',
        ],
      ];
      for (const [statement, code, message] of failures) {
        const failing = new pg.Client({ connectionString: url });
        await failing.connect();
        const error = await errorOf(async () => {
          for (const part of statement.split('; ')) await failing.query(part);
        });
        await failing.end();
        expect(error).toMatchObject({ code, message });
        expect(JSON.stringify(error) + String(error)).not.toContain('hunter2');
      }
    }));

  it('for a missing privilege says so', () =>
    withPostgresSchema(async ({ url, schema, client }) => {
      await client.query(`create role ${schema} login password 'x'`);
      const limited = Object.assign(new URL(url), { username: schema, password: 'x' }).href;
      try {
        await expect(openStore({ dialect: 'postgres', connectionString: limited }, { schema })).rejects.toMatchObject({
          code: 'ERR_DATABASE_FAILED',
          message: expect.stringMatching(/denies its user a needed privilege \(42501\)\.$/),
        });
      } finally {
        await client.query(`drop role ${schema}`);
      }
    }));

  it('for a connection cut in a transaction says that the server is gone, and nothing is written', () =>
    withPostgresSchema(async ({ url, schema, client }) => {
      const store = await openStore(
        { dialect: 'postgres', connectionString: `${url}?application_name=${schema}` },
        { schema },
      );
      const cut = () =>
        client.query('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [schema]);
      const writing = store.transaction(async (tx) => {
        await tx.audit.insert({ action: 'a', resourceType: 'key', status: 'success' });
        await cut();
        await tx.audit.insert({ action: 'b', resourceType: 'key', status: 'success' });
      });
      await expect(writing).rejects.toMatchObject({
        code: 'ERR_DATABASE_NOT_FOUND',
        message: expect.stringMatching(/cannot be reached/),
      });
      expect(await store.audit.list({ limit: 10 })).toEqual([]);
      await store.close();
    }));
});

describe('an error that no driver made', () => {
  it('stays what it is', () => {
    for (const error of [new RangeError('x'), new FieldsealError('ERR_USAGE', 'x'), 'text', null]) {
      expect(databaseError(error)).toBe(error);
    }
  });
});
