import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../src/store/migrations.js';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { withPostgresSchema } from '../postgres.js';
import { withSqliteFile } from './sqlite-file.js';

interface Place {
  open(options?: { readOnly?: boolean; migrate?: boolean }): Promise<Store>;
  /** The arguments of `openStore`, for another process. */
  readonly args: Parameters<typeof openStore>;
  execute(sql: string): Promise<unknown>;
  tables(): Promise<string[]>;
  /** Holds the lock that a migration takes, while `work` runs. */
  whileLocked(work: () => Promise<void>): Promise<void>;
  readonly mend: string;
}

const sqlite = (work: (place: Place) => Promise<void>) =>
  withSqliteFile(async (file) => {
    const database = new Database(file);
    const target = { dialect: 'sqlite', file } as const;
    await work({
      open: (options) => openStore(target, options),
      args: [target],
      execute: async (sql) => database.exec(sql.replaceAll('{t}', '')),
      tables: async () =>
        database
          .prepare<[], string>(`select name from sqlite_master where name not like 'sqlite_%' order by 1`)
          .pluck()
          .all(),
      whileLocked: async (locked) => {
        database.exec('begin immediate');
        await locked();
        database.exec('commit');
      },
      mend: 'exists already and was not made by Fieldseal, which needs that name; rename that table.',
    });
    database.close();
  });

const postgres = (work: (place: Place) => Promise<void>) =>
  withPostgresSchema(async ({ url, schema, client }) => {
    const target = { dialect: 'postgres', connectionString: url } as const;
    await work({
      open: (options) => openStore(target, { schema, ...options }),
      args: [target, { schema }],
      execute: async (sql) => {
        await client.query(`create schema if not exists ${schema}`);
        await client.query(sql.replaceAll('{t}', `${schema}.`));
      },
      tables: async () => {
        const { rows } = await client.query(
          `select relname from pg_class where relnamespace = to_regnamespace($1) and relkind in ('r', 'v', 'i') order by 1`,
          [schema],
        );
        return rows.map((row) => row.relname);
      },
      whileLocked: async (locked) => {
        await client.query('begin');
        await client.query(`select pg_advisory_xact_lock(hashtext('fieldseal'), hashtext($1))`, [schema]);
        await locked();
        await client.query('commit');
      },
      mend:
        `exists already in the schema ${schema} and was not made by Fieldseal, which needs that name; ` +
        'rename that table, or set DATABASE_SCHEMA to another schema.',
    });
  });

describe.each([
  ['SQLite', sqlite],
  ['PostgreSQL', postgres],
] as const)('on %s', (_name, withPlace) => {
  it.each(MIGRATIONS.flatMap(({ creates }) => creates.filter((table) => table !== 'fieldseal_migrations')))(
    'a table %s that somebody else made stops the start and is left alone',
    (table) =>
      withPlace(async ({ open, execute, tables, mend }) => {
        await execute(`create table {t}${table} (mine text)`);
        for (const options of [{}, { readOnly: true }, { migrate: false }]) {
          await expect(open(options)).rejects.toMatchObject({
            code: 'ERR_STORE_FOREIGN_TABLE',
            message: `A table named ${table} ${mend}`,
          });
        }
        expect(await tables()).toEqual([table]);
      }),
  );

  it('a view of one of our names stops the start like a table', () =>
    withPlace(async ({ open, execute }) => {
      await execute('create view {t}audit_logs as select 1 as mine');
      await expect(open()).rejects.toMatchObject({
        code: 'ERR_STORE_FOREIGN_TABLE',
        message: expect.stringMatching(/^A table named audit_logs exists already/),
      });
    }));

  it('tables of a newer version are refused', () =>
    withPlace(async ({ open, execute }) => {
      await (await open()).close();
      await execute('insert into {t}fieldseal_migrations (version) values (999)');
      for (const options of [{}, { readOnly: true }, { migrate: false }]) {
        await expect(open(options)).rejects.toMatchObject({
          code: 'ERR_STORE_NEWER',
          message: `The tables of the store are of version 999, and this Fieldseal knows them up to ${MIGRATIONS.at(-1)?.version}; upgrade Fieldseal.`,
        });
      }
    }));

  it('a migration that fails leaves nothing behind', () =>
    withPlace(async ({ open, execute, tables }) => {
      // The last statement of the first migration finds its index's name taken.
      await execute('create table {t}mine (a text)');
      await execute('create index fieldseal_audit_logs_user on {t}mine (a)');
      await expect(open()).rejects.toMatchObject({
        code: 'ERR_DATABASE_FAILED',
        message: expect.stringMatching(/SQLITE_ERROR|42P07/),
      });
      expect(await tables()).toEqual(['fieldseal_audit_logs_user', 'mine']);
    }));

  it('the next start takes no lock', () =>
    withPlace(async ({ open, whileLocked }) => {
      await (await open()).close();
      await whileLocked(async () => (await open()).close());
    }));

  it('several processes can start for the first time at once', () =>
    withPlace(async ({ open, args }) => {
      const child = fileURLToPath(new URL('open-store-child.ts', import.meta.url));
      const exits = Array.from({ length: 5 }, () =>
        once(fork(child, [JSON.stringify(args)], { execArgv: ['--import', 'tsx'] }), 'exit'),
      );
      expect((await Promise.all(exits)).map(([code]) => code)).toEqual([0, 0, 0, 0, 0]);
      const store = await open();
      expect(await store.audit.list({ limit: 10 })).toHaveLength(5);
      await store.close();
    }));

  it('many connections can start for the first time at once', () =>
    withPlace(async ({ open, tables }) => {
      const stores = await Promise.all(Array.from({ length: 8 }, () => open()));
      for (const store of stores) await store.close();
      expect(await tables()).toContain('fieldseal_migrations');
    }));

  it.each([{ readOnly: true }, { migrate: false }])(
    'a store opened with %j makes no table and reads as an empty one',
    (options) =>
      withPlace(async ({ open, execute, tables }) => {
        await execute('create table {t}mine (a text)');
        const store = await open(options);
        expect(await store.keyring.load()).toBeNull();
        expect(await store.keyring.readers()).toEqual([]);
        expect(await store.runs.get(1)).toBeNull();
        expect(await store.runs.list(10)).toEqual([]);
        expect(await store.runs.unfinished()).toEqual([]);
        expect(await store.ranges.list(1, 1)).toEqual([]);
        expect(await store.runs.failures(1, 10)).toEqual([]);
        expect(await store.audit.list({ limit: 10 })).toEqual([]);
        expect(await store.audit.count({})).toBe(0);
        expect(await store.apiKeys.get(1)).toBeNull();
        expect(await store.apiKeys.list({ userId: null, limit: 10 })).toEqual([]);
        await expect(store.audit.insert({ action: 'a', resourceType: 'b', status: 'success' })).rejects.toMatchObject({
          code: expect.stringMatching(/^ERR_(TABLE_NOT_FOUND|DATABASE_READ_ONLY)$/),
        });
        await store.close();
        expect(await tables()).toEqual(['mine']);
      }),
  );

  it('a read-only store reads what is there and writes nothing', () =>
    withPlace(async ({ open }) => {
      const writer = await open();
      await writer.audit.insert({ action: 'a', resourceType: 'b', status: 'success' });
      const reader = await open({ readOnly: true });
      expect(await reader.audit.list({ limit: 10 })).toHaveLength(1);
      await expect(reader.runs.stop(1, 'cancelled')).rejects.toMatchObject({
        code: 'ERR_DATABASE_READ_ONLY',
        message: expect.stringMatching(/cannot be written/),
      });
      await expect(reader.transaction((tx) => tx.runs.stop(1, 'cancelled'))).rejects.toMatchObject({
        code: 'ERR_DATABASE_READ_ONLY',
        message: expect.stringMatching(/cannot be written/),
      });
      await reader.close();
      await writer.close();
    }));
});

describe('on SQLite', () => {
  it('a table of one of our names in capitals is the same table', () =>
    sqlite(async ({ open, execute }) => {
      await execute('create table Audit_Logs (mine text)');
      await expect(open()).rejects.toMatchObject({
        code: 'ERR_STORE_FOREIGN_TABLE',
        message: expect.stringMatching(/^A table named audit_logs exists already/),
      });
    }));

  it.each(['delete', 'wal'])('a database in the journal mode %s stays in it', (mode) =>
    withSqliteFile(async (file) => {
      const database = new Database(file);
      database.pragma(`journal_mode = ${mode}`);
      database.exec('create table mine (a)');
      await (await openStore({ dialect: 'sqlite', file })).close();
      expect(database.pragma('journal_mode', { simple: true })).toBe(mode);
      database.close();
    }),
  );
});

describe('on PostgreSQL', () => {
  it('a role that may not create schemas opens a store that is there', () =>
    withPostgresSchema(async ({ url, schema, client }) => {
      await (await openStore({ dialect: 'postgres', connectionString: url }, { schema })).close();
      await client.query(`create role ${schema} login password 'x'`);
      await client.query(`grant usage on schema ${schema} to ${schema}`);
      await client.query(`grant select, insert, update on all tables in schema ${schema} to ${schema}`);
      const limited = Object.assign(new URL(url), { username: schema, password: 'x' }).href;
      try {
        const store = await openStore({ dialect: 'postgres', connectionString: limited }, { schema });
        await store.runs.create({
          kind: 'verify',
          oldKeyVersion: null,
          newKeyVersion: null,
          notes: null,
          initiatedBy: 'cli',
        });
        await store.close();
      } finally {
        await client.query(`drop owned by ${schema}`);
        await client.query(`drop role ${schema}`);
      }
    }));

  it('a schema may have any name', () =>
    withPostgresSchema(async ({ url, schema, client }) => {
      const odd = `${schema} "Ünï`;
      const store = await openStore({ dialect: 'postgres', connectionString: url }, { schema: odd });
      await store.audit.insert({ action: 'a', resourceType: 'b', status: 'success' });
      expect(await store.audit.list({ limit: 10 })).toHaveLength(1);
      await store.close();
      await client.query(`drop schema ${pgIdentifier(odd)} cascade`);
    }));
});

function pgIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
