import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { Kysely, sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { openSqlite } from '../../src/store/open-sqlite.js';
import { openStore } from '../../src/store/open-store.js';
import { sqliteDialect } from '../../src/store/sqlite-dialect.js';
import { sqliteWorkerDialect } from '../../src/store/sqlite-worker-dialect.js';
import { withDatabaseErrors } from '../../src/store/with-database-errors.js';
import { withSqliteFile } from './sqlite-file.js';

const ROW = { action: 'a', resourceType: 'key', status: 'success' } as const;

/** A process of its own that holds the write lock for a second from when it says `locked`. */
const HOLDER = `
  const Database = require('better-sqlite3');
  const database = new Database(process.argv[1]);
  database.exec('begin immediate');
  process.stdout.write('locked');
  setTimeout(() => database.exec('commit'), 1000);
`;

async function withLockHeld(file: string): Promise<ChildProcess> {
  const holder = spawn(process.execPath, ['-e', HOLDER, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  return holder;
}

/** The threads that are started while `work` runs. */
async function threadsOf<T>(work: () => Promise<T>): Promise<[T, Worker[]]> {
  const threads: Worker[] = [];
  const add = (thread: Worker) => threads.push(thread);
  process.on('worker', add);
  try {
    return [await work(), threads];
  } finally {
    process.off('worker', add);
  }
}

/** Everything the two dialects answer to the same statements, errors too. */
async function answers(db: Kysely<object>): Promise<unknown[]> {
  const statements = [
    sql`create table t (id integer primary key, n numeric, s text unique, b blob)`,
    sql`insert into t (n, s, b) values (${1.5}, ${'ü\u0000'}, ${Buffer.from([0, 1, 255])})`,
    sql`insert into t (n, s, b) values (${2n ** 52n}, ${''}, ${new Uint8Array([7])}), (${null}, ${'x'}, ${null})`,
    sql`select * from t order by id`,
    sql`select typeof(n) as n, typeof(s) as s, typeof(b) as b from t where id = ${1}`,
    sql`update t set n = 3 where id > ${1} returning id, n`,
    sql`delete from t where id = ${3}`,
    sql`insert into t (s) values (${'x'}), (${'x'})`,
    sql`select ${2n ** 60n}`,
    sql`select ${true}`,
    sql`select * from missing`,
    sql`select 'hunter2`,
    sql`pragma synchronous`,
  ];
  const all: unknown[] = [];
  for (const statement of statements) {
    all.push(await statement.execute(db).catch(({ name, code, message }) => ({ name, code, message })));
  }
  const rows: unknown[] = [];
  for await (const row of db.withTables<{ t: { id: number } }>().selectFrom('t').selectAll().stream()) rows.push(row);
  await db.destroy();
  return [...all, rows];
}

describe('SQLite off the event loop', () => {
  it('answers as it does in the thread, bytes and errors included', () =>
    withSqliteFile((inside) =>
      withSqliteFile(async (outside) => {
        const name = { name: 'The database', absentTablesAreEmpty: false };
        const expected = await answers(
          new Kysely({ dialect: withDatabaseErrors(sqliteDialect(openSqlite(inside)), name) }),
        );
        const actual = await answers(new Kysely({ dialect: withDatabaseErrors(sqliteWorkerDialect(outside), name) }));
        expect(actual).toEqual(expected);
        expect(actual[3]).toMatchObject({ rows: [{ b: Buffer.from([0, 1, 255]) }, { b: Buffer.from([7]) }, {}] });
      }),
    ));

  it('refuses a file that it cannot open as it does in the thread', () =>
    withSqliteFile(async (file) => {
      for (const options of [{ mustExist: true }, { readOnly: true }]) {
        await expect(openStore({ dialect: 'sqlite', file }, { ...options, offEventLoop: true })).rejects.toMatchObject({
          code: 'ERR_DATABASE_NOT_FOUND',
          message: `The database ${file} does not exist or cannot be opened; check the path in DATABASE_URL.`,
        });
      }
    }));

  it('leaves the event loop ticking while another process holds the write lock for a second', () =>
    withSqliteFile(async (file) => {
      const store = await openStore({ dialect: 'sqlite', file }, { offEventLoop: true });
      const holder = await withLockHeld(file);
      let ticks = 0;
      const ticking = setInterval(() => ticks++, 10);
      const began = performance.now();
      const [row] = await Promise.all([store.audit.insert(ROW), store.transaction((tx) => tx.audit.insert(ROW))]);
      const waitedMs = performance.now() - began;
      clearInterval(ticking);
      expect(row.id).toBe(1);
      expect(waitedMs).toBeGreaterThan(500);
      expect(ticks).toBeGreaterThan(waitedMs / 100);
      if (holder.exitCode === null) await once(holder, 'exit');
      await store.close();
    }));

  it('gives up on a lock after five seconds', () =>
    withSqliteFile(async (file) => {
      const store = await openStore({ dialect: 'sqlite', file }, { offEventLoop: true });
      const writer = openSqlite(file);
      writer.exec('begin immediate');
      await expect(store.audit.insert(ROW)).rejects.toMatchObject({
        code: 'ERR_DATABASE_BUSY',
        message: `The database ${file} stayed locked by another process (SQLITE_BUSY); try again when that is done.`,
      });
      writer.exec('commit');
      expect((await store.audit.insert(ROW)).id).toBe(1);
      writer.close();
      await store.close();
    }));

  it('fails what a thread that breaks down was doing, and goes on in a new one', () =>
    withSqliteFile(async (file) => {
      const lost = {
        code: 'ERR_DATABASE_FAILED',
        message: `The database ${file} failed (the thread that held it has ended).`,
      };
      const [store, [thread]] = await threadsOf(() => openStore({ dialect: 'sqlite', file }, { offEventLoop: true }));
      const broken = store.transaction(async (tx) => {
        await tx.audit.insert(ROW);
        await thread?.terminate();
        // Nothing of this transaction may be written by the next thread on its own.
        await expect(tx.audit.insert(ROW)).rejects.toMatchObject(lost);
        await tx.audit.insert(ROW);
      });
      const queued = store.audit.insert({ ...ROW, action: 'queued' });
      await expect(broken).rejects.toMatchObject(lost);
      expect((await queued).action).toBe('queued');
      expect((await store.audit.list({ limit: 10 })).map(({ action }) => action)).toEqual(['queued']);
      await store.close();
    }));

  it('fails statements under way when the thread breaks down', () =>
    withSqliteFile(async (file) => {
      const [store, [thread]] = await threadsOf(() => openStore({ dialect: 'sqlite', file }, { offEventLoop: true }));
      const writer = openSqlite(file);
      writer.exec('begin immediate');
      const pending = expect(store.audit.insert(ROW)).rejects.toMatchObject({ code: 'ERR_DATABASE_FAILED' });
      await new Promise((resolve) => setImmediate(resolve));
      const terminated = thread?.terminate();
      writer.exec('commit');
      writer.close();
      await terminated;
      await pending;
      // As with a connection that is cut, nobody knows whether the statement was still done; the next one is.
      const done = await store.audit.count({});
      expect((await store.audit.insert(ROW)).id).toBe(done + 1);
      await store.close();
    }));

  it('ends its thread when it is closed', () =>
    withSqliteFile(async (file) => {
      const [store, [thread]] = await threadsOf(() => openStore({ dialect: 'sqlite', file }, { offEventLoop: true }));
      expect(thread?.threadId).toBeGreaterThan(0);
      await store.close();
      expect(thread?.threadId).toBe(-1);
    }));
});
