import { spawnSync } from 'node:child_process';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { pythonFor } from '../../../fieldseal/test/python.ts';
import { MIGRATIONS } from '../../src/store/migrations.js';
import { type OpenStoreOptions, openStore } from '../../src/store/open-store.js';
import { type Dialect, NO_LIMITS, type Store } from '../../src/store/store.js';
import { withPostgresSchema } from '../postgres.js';
import { EMITTED, MODELS, ORIGINAL_NAMES, originalTables, TOKEN } from './original-database.js';
import { withSqliteFile } from './sqlite-file.js';
import { NEW_RUN } from './store-under-test.js';

interface Place {
  readonly dialect: Dialect;
  open(options?: OpenStoreOptions): Promise<Store>;
  /** Runs statements; `{t}` before a table's name stands for its schema. The rows of the last one come back. */
  execute(...statements: string[]): Promise<Record<string, unknown>[]>;
  /** Everything in the database that tells whether it has changed. */
  contents(): Promise<unknown>;
  /** What the models in Python are given. */
  readonly python: { readonly url: string; readonly schema: string | null; readonly driver: string };
}

const sqlite = (offEventLoop: boolean) => (work: (place: Place) => Promise<void>) =>
  withSqliteFile(async (file) => {
    const database = new Database(file);
    const stores: Store[] = [];
    const contents = () => {
      const tables = database
        .prepare<[], { name: string }>(`select type, name, sql from sqlite_master where name not like 'sqlite_%'`)
        .all();
      const named = tables.filter(({ name }) => ORIGINAL_NAMES.some((original) => original === name));
      return [tables, named.map(({ name }) => database.prepare(`select * from ${name}`).all())];
    };
    try {
      await work({
        dialect: 'sqlite',
        async open(options) {
          const store = await openStore({ dialect: 'sqlite', file }, { offEventLoop, ...options });
          stores.push(store);
          return store;
        },
        async execute(...statements) {
          let rows: Record<string, unknown>[] = [];
          for (const text of statements) {
            const statement = database.prepare<[], Record<string, unknown>>(text.replaceAll('{t}', ''));
            if (statement.reader) rows = statement.all();
            else statement.run();
          }
          return rows;
        },
        contents: async () => contents(),
        python: { url: `sqlite:///${file}`, schema: null, driver: 'sqlite3' },
      });
    } finally {
      for (const store of stores) await store.close();
      database.close();
    }
  });

const postgres = (work: (place: Place) => Promise<void>) =>
  withPostgresSchema(async ({ url, schema, client }) => {
    await client.query(`create schema ${schema}`);
    const stores: Store[] = [];
    try {
      await work({
        dialect: 'postgres',
        async open(options) {
          const store = await openStore({ dialect: 'postgres', connectionString: url }, { schema, ...options });
          stores.push(store);
          return store;
        },
        async execute(...statements) {
          let rows: Record<string, unknown>[] = [];
          for (const text of statements) ({ rows } = await client.query(text.replaceAll('{t}', `${schema}.`)));
          return rows;
        },
        async contents() {
          const columns = await client.query(
            `select c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod)
              from pg_class c join pg_attribute a on a.attrelid = c.oid
              where relnamespace = to_regnamespace($1) and not attisdropped order by 1, 2, 3`,
            [schema],
          );
          const rows: unknown[] = [];
          for (const { relname } of columns.rows.filter(({ attname }) => attname === 'ctid')) {
            if (ORIGINAL_NAMES.includes(relname))
              rows.push((await client.query(`select * from ${schema}.${relname}`)).rows);
          }
          return [columns.rows, rows];
        },
        python: { url: url.replace('postgres:', 'postgresql+psycopg2:'), schema, driver: 'psycopg2' },
      });
    } finally {
      for (const store of stores) await store.close();
    }
  });

const everything = (dialect: Dialect) => Object.values(originalTables(EMITTED[dialect])).flat();

/** Takes the tables of the second migration away: what an earlier Fieldseal left. */
/** Undoes what the migrations after the first one have made. */
function backToMigration1(dialect: Dialect): string[] {
  const later = MIGRATIONS.filter(({ version }) => version > 1);
  const made = later.flatMap(({ creates }) => creates);
  const statements = later.flatMap((migration) => migration.statements(dialect, (table) => table));
  const matches = (form: RegExp) => statements.map((text) => form.exec(text)).filter((match) => match !== null);
  const added = matches(/^alter table (\w+) add column (?:if not exists )?(\w+)/).filter(
    ([, table]) => !made.some((name) => name === table),
  );
  const on = (table: string | undefined) => (dialect === 'postgres' ? ` on {t}${table}` : '');
  return [
    ...matches(/^create trigger (\w+) before (?:\w+ or )?\w+ on (\w+)/).map(
      ([, name, table]) => `drop trigger ${dialect === 'postgres' ? '' : '{t}'}${name}${on(table)}`,
    ),
    ...matches(/^create function (\w+)/).map(([, name]) => `drop function {t}${name}`),
    ...made.map((table) => `drop table {t}${table}`),
    ...added.map(([, table, column]) => `alter table {t}${table} drop column ${column}`),
    'delete from {t}fieldseal_migrations where version > 1',
  ];
}

describe.each([
  ['SQLite', sqlite(false)],
  ['SQLite off the event loop', sqlite(true)],
  ['PostgreSQL', postgres],
] as const)('the tables of the Python original on %s', (_name, withPlace) => {
  it('keep their API keys, each token byte for byte', () =>
    withPlace(async ({ dialect, open, execute }) => {
      await execute(...everything(dialect));
      const store = await open();
      const unrevoked = {
        ...NO_LIMITS,
        keyHash: null,
        rowMac: null,
        revokedAt: null,
        revokedBy: null,
        revokedReason: null,
        disabledAt: null,
        disabledBy: null,
        rerolledFrom: null,
      };
      expect(await store.apiKeys.list({ userId: null, limit: 10 })).toEqual([
        {
          ...unrevoked,
          id: 9,
          userId: '1',
          name: 'plain',
          prefix: 'pk_9',
          encryptedKey: 'pk_9_not_encrypted',
          scopes: [],
          createdAt: '2026-02-26T10:00:00.000Z',
          expiresAt: null,
          lastUsedAt: null,
          isActive: false,
        },
        {
          ...unrevoked,
          id: 7,
          userId: '1',
          name: 'Schlüssel',
          prefix: 'pk_integr_xyz',
          encryptedKey: TOKEN,
          scopes: [],
          createdAt: '2026-02-26T10:00:00.000Z',
          expiresAt: null,
          lastUsedAt: null,
          isActive: false,
        },
        {
          ...unrevoked,
          id: 1,
          userId: '42',
          name: 'Production API Key',
          prefix: 'pk_abc123',
          encryptedKey: TOKEN,
          scopes: ['read:projects', 'write:sns'],
          createdAt: '2026-02-26T10:00:00.000Z',
          expiresAt: '2026-03-28T10:00:00.123Z',
          lastUsedAt: '2026-02-26T12:30:00.000Z',
          isActive: true,
        },
      ]);
      expect((await store.apiKeys.listUnhashed(10)).map(({ id }) => id)).toEqual([1, 7, 9]);
      expect(await execute('select scopes, description from {t}api_keys order by id')).toEqual([
        { scopes: 'read:projects, write:sns', description: 'for the shop' },
        { scopes: null, description: '' },
        { scopes: '', description: '' },
      ]);
    }));

  it('keep their audit log and their rotations, of which none stays unfinished', () =>
    withPlace(async ({ dialect, open, execute }) => {
      await execute(...everything(dialect));
      const store = await open();
      const empty = { requestId: null, userAgent: null };
      expect(await store.audit.list({ limit: 10 })).toEqual([
        {
          ...empty,
          id: 5,
          userId: null,
          action: 'login',
          resourceType: '',
          resourceId: null,
          ipAddress: null,
          status: 'failure',
          timestamp: '2026-02-26T23:59:59.999Z',
          details: 'User profile accessed',
        },
        {
          ...empty,
          id: 3,
          userId: '42',
          action: 'api_key_created',
          resourceType: 'api_key',
          resourceId: '1',
          ipAddress: '192.168.1.100',
          status: 'success',
          timestamp: '2026-02-26T10:00:00.000Z',
          details: null,
        },
      ]);
      const runs = await store.runs.list(10);
      expect(
        runs.map(({ id, status, counts, errorDetails, initiatedBy }) => [
          id,
          status,
          counts.total,
          counts.rotated,
          counts.failed,
          errorDetails,
          initiatedBy,
        ]),
      ).toEqual([
        [20, 'failed', 0, 0, 0, 'had an unknown status when it was taken over', '42'],
        [4, 'failed', 150, 1, 149, 'Manual intervention', '42'],
        [3, 'failed', 0, 0, 0, 'unfinished when it was taken over; slow', '42'],
        [2, 'failed', 150, 120, 0, 'unfinished when it was taken over', 'unknown'],
        [1, 'completed', 150, 150, 0, null, '1'],
      ]);
      expect(runs[4]).toMatchObject({
        kind: 'rotate',
        oldKeyVersion: 'v1',
        newKeyVersion: 'v2',
        createdAt: '2026-02-26T10:00:00.000Z',
        updatedAt: '2026-02-26T10:00:00.000Z',
      });
      expect(await store.runs.unfinished()).toEqual([]);
    }));

  it('go on counting above their largest ids, in our shape', () =>
    withPlace(async ({ dialect, open, execute }) => {
      await execute(...everything(dialect));
      const store = await open();
      const hashes = { keyHash: 'aa', rowMac: 'bb', encryptedKey: null };
      const key = { ...NO_LIMITS, ...hashes, userId: 'someone', name: 'n', prefix: 'pk_new', rerolledFrom: null };
      const times = { createdAt: '2026-02-26T10:00:00Z', expiresAt: null };
      expect((await store.apiKeys.insert({ ...key, ...times, scopes: [] })).id).toBe(10);
      expect((await store.audit.insert({ action: 'a', resourceType: 'b', status: 'success' })).id).toBe(6);
      expect((await store.runs.create(NEW_RUN)).id).toBe(21);
      await expect(store.apiKeys.insert({ ...key, ...times, scopes: [] })).rejects.toMatchObject({
        code: 'ERR_API_KEY_PREFIX_TAKEN',
        message: 'Another API key has this prefix; try again.',
      });
      await store.close();
      const again = await open();
      expect(await again.apiKeys.list({ userId: null, limit: 10 })).toHaveLength(4);
    }));

  it('are taken over one by one and empty too, wherever the migrations stand', () =>
    withPlace(async ({ dialect, open, execute }) => {
      const tables = originalTables(EMITTED[dialect]);
      const first = await open();
      await first.audit.insert({ action: 'ours', resourceType: 'b', status: 'success' });
      await first.close();
      await execute(...backToMigration1(dialect), ...tables.users, ...tables.api_keys);
      const store = await open();
      expect((await store.apiKeys.get(7))?.encryptedKey).toBe(TOKEN);
      expect((await store.audit.list({ limit: 10 })).map(({ action }) => action)).toEqual(['ours']);
      await store.close();
      await execute(...backToMigration1(dialect), ...tables.api_keys.slice(0, 1));
      const empty = await open();
      expect(await empty.apiKeys.list({ userId: null, limit: 10 })).toEqual([]);
    }));

  it.each([{ readOnly: true }, { migrate: false }])('read as empty, and stay, in a store opened with %j', (options) =>
    withPlace(async ({ dialect, open, execute, contents }) => {
      await execute(...everything(dialect));
      const before = await contents();
      const store = await open(options);
      expect(await store.runs.list(10)).toEqual([]);
      expect(await store.audit.list({ limit: 10 })).toEqual([]);
      expect(await store.audit.count({})).toBe(0);
      expect(await store.apiKeys.get(1)).toBeNull();
      expect(await store.keyring.load()).toBeNull();
      expect(await contents()).toEqual(before);
    }),
  );

  it('with a revocation of their own are revoked here', () =>
    withPlace(async ({ dialect, open, execute }) => {
      const { users, api_keys } = originalTables(EMITTED[dialect]);
      await execute(...users, ...api_keys, `alter table {t}api_keys add column revoked_at ${EMITTED[dialect].time}`);
      await execute(`update {t}api_keys set revoked_at = '2026-02-27 10:00:00.000000' where id = 1`);
      const store = await open();
      expect(await store.apiKeys.get(1)).toMatchObject({ isActive: false, revokedAt: '2026-02-27T10:00:00.000Z' });
    }));

  const stops: [string, string[], string][] = [
    [
      'a table that refers to them',
      ['create table {t}usage (api_key_id integer references {t}api_keys (id))'],
      String.raw`a foreign key of the table \S*usage depends on it and must be dropped first`,
    ],
    [
      'the same prefix twice',
      [`update {t}api_keys set prefix = 'pk_same' where id in (7, 9)`],
      String.raw`rows have the same prefix \(id 7, 9\)`,
    ],
    [
      'no time of creation',
      ['update {t}api_keys set created_at = null where id = 7'],
      String.raw`rows have no usable created_at \(id 7\)`,
    ],
    [
      'a column that has a name of ours and another meaning',
      ['alter table {t}api_keys add column key_hash varchar(64)'],
      'it has a column key_hash of its own, a name that Fieldseal needs',
    ],
  ];
  it.each(stops)('with %s stop the start and stay as they are', (_what, statements, reason) =>
    withPlace(async ({ dialect, open, execute, contents }) => {
      await execute(...everything(dialect), ...statements);
      const before = await contents();
      await expect(open()).rejects.toMatchObject({
        code: 'ERR_STORE_FOREIGN_TABLE',
        message: expect.stringMatching(
          new RegExp(`^The table api_keys of the Python original cannot be taken over: ${reason}\\.$`),
        ),
      });
      expect(await contents()).toEqual(before);
    }),
  );

  it('are somebody else’s when a column of theirs is missing', () =>
    withPlace(async ({ dialect, open, execute, contents }) => {
      await execute(...everything(dialect), 'alter table {t}audit_logs drop column ip_address');
      const before = await contents();
      for (const options of [{}, { readOnly: true }]) {
        await expect(open(options)).rejects.toMatchObject({
          code: 'ERR_STORE_FOREIGN_TABLE',
          message: expect.stringMatching(/^A table named audit_logs exists already/),
        });
      }
      expect(await contents()).toEqual(before);
    }));

  it('made by SQLAlchemy itself are taken over', (context) =>
    withPlace(async ({ open, python }) => {
      const python3 = pythonFor(`import sqlalchemy, ${python.driver}`, context);
      const input = JSON.stringify([python.url, python.schema, TOKEN]);
      const made = spawnSync(python3, ['-W', 'ignore', '-c', MODELS], { input, encoding: 'utf8' });
      expect(made.stderr).toBe('');
      const store = await open();
      expect(await store.apiKeys.get(1)).toMatchObject({
        userId: '42',
        prefix: 'pk_abc123',
        encryptedKey: TOKEN,
        scopes: ['read:projects', 'write:sns'],
        createdAt: '2026-02-26T10:00:00.000Z',
        expiresAt: '2026-03-28T10:00:00.123Z',
        isActive: true,
      });
      expect((await store.audit.list({ limit: 10 }))[0]).toMatchObject({
        userId: '42',
        resourceId: '1',
        status: 'success',
      });
      expect(await store.runs.list(10)).toMatchObject([
        { id: 1, status: 'failed', errorDetails: 'unfinished when it was taken over' },
      ]);
    }));
});

describe('the tables of the Python original on SQLite', () => {
  it('with a time that is none stop the start', () =>
    sqlite(false)(async ({ open, execute, contents }) => {
      await execute(...everything('sqlite'), `update api_keys set expires_at = 'soon' where id = 7`);
      const before = await contents();
      await expect(open()).rejects.toMatchObject({
        code: 'ERR_STORE_FOREIGN_TABLE',
        message:
          'The table api_keys of the Python original cannot be taken over: expires_at is no time in some rows (id 7).',
      });
      expect(await contents()).toEqual(before);
    }));

  it('with a trigger stop the start', () =>
    sqlite(false)(async ({ open, execute }) => {
      await execute(...everything('sqlite'), 'create trigger seen after insert on audit_logs begin select 1; end');
      await expect(open()).rejects.toMatchObject({
        code: 'ERR_STORE_FOREIGN_TABLE',
        message:
          'The table audit_logs of the Python original cannot be taken over: the trigger seen depends on it and must be dropped first.',
      });
    }));
});

describe('the tables of the Python original on PostgreSQL', () => {
  it('with a view over them stop the start', () =>
    postgres(async ({ open, execute }) => {
      await execute(...everything('postgres'), 'create view {t}seen as select id from {t}audit_logs');
      await expect(open()).rejects.toMatchObject({
        code: 'ERR_STORE_FOREIGN_TABLE',
        message: expect.stringMatching(/cannot be taken over: the view \S+ depends on it and must be dropped first\.$/),
      });
    }));

  it('may have times with a zone and a status of an enumerated type', () =>
    postgres(async ({ open, execute }) => {
      await execute(
        ...everything('postgres'),
        `alter table {t}audit_logs alter column timestamp type timestamptz using timestamp at time zone 'UTC'`,
        `create type {t}rotation as enum ('completed', 'in_progress', 'pending', 'failed', 'rolled_back')`,
        'alter table {t}encryption_key_rotations alter column rotation_status type {t}rotation using rotation_status::{t}rotation',
      );
      const store = await open();
      expect((await store.audit.list({ limit: 1 }))[0]?.timestamp).toBe('2026-02-26T23:59:59.999Z');
      expect((await store.runs.list(10)).map(({ status }) => status)).toEqual([
        'failed',
        'failed',
        'failed',
        'failed',
        'completed',
      ]);
    }));

  it('in another schema than the one of the configuration are not looked at', () =>
    postgres(async ({ open, execute, contents }) => {
      await execute(...everything('postgres'));
      const before = await contents();
      const elsewhere = `elsewhere_${process.pid}`;
      try {
        const store = await open({ schema: elsewhere });
        expect(await store.apiKeys.list({ userId: null, limit: 10 })).toEqual([]);
      } finally {
        await execute(`drop schema ${elsewhere} cascade`);
      }
      expect(await contents()).toEqual(before);
    }));
});
