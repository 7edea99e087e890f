import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/open-store.js';
import { withPostgresSchema } from '../postgres.js';
import { withSqliteFile } from './sqlite-file.js';

const RUN = { kind: 'verify', oldKeyVersion: null, newKeyVersion: null, notes: null, initiatedBy: 'cli' } as const;

describe('the writer barrier', () => {
  it('on SQLite returns at once when nobody writes, and else when the writer is done', () =>
    withSqliteFile(async (file) => {
      const store = await openStore({ dialect: 'sqlite', file });
      await store.writerBarrier();
      const writer = new Database(file);
      writer.exec('begin immediate');
      let committed = false;
      const seen = store.writerBarrier().then(() => committed);
      await turns();
      writer.exec('commit');
      committed = true;
      expect(await seen).toBe(true);
      writer.close();
      await store.close();
    }));

  it('on PostgreSQL returns at once when nobody writes, and else when every writer is done', () =>
    withPostgresSchema(async ({ url, schema, client }) => {
      const store = await openStore({ dialect: 'postgres', connectionString: url }, { schema });
      await store.writerBarrier();
      await client.query('begin');
      await client.query(`insert into ${schema}.keyring_readers values ('writer', 1, 1)`);
      let committed = false;
      const seen = store.writerBarrier().then(() => committed);
      for (let count = 0; count < 20; count++) await store.runs.list(1);
      committed = true;
      await client.query('commit');
      expect(await seen).toBe(true);
      expect(await store.keyring.readers()).toHaveLength(1);
      await store.close();
    }));
});

describe('a SQLite store that waits for the lock', () => {
  it('leaves the event loop free, and goes on when the lock is released', () =>
    withSqliteFile(async (file) => {
      const store = await openStore({ dialect: 'sqlite', file });
      const writer = new Database(file);
      writer.exec('begin immediate');
      const created = store.runs.create(RUN);
      const claimed = store.transaction((tx) => tx.runs.claim(1, 'a', 60, false));
      await turns();
      writer.exec('commit');
      expect((await created).id).toBe(1);
      expect(await claimed).toBe(1);
      writer.close();
      await store.close();
    }));

  it('gives up after five seconds', () =>
    withSqliteFile(async (file) => {
      const store = await openStore({ dialect: 'sqlite', file });
      const writer = new Database(file);
      writer.exec('begin immediate');
      await expect(store.runs.create(RUN)).rejects.toMatchObject({
        code: 'ERR_DATABASE_BUSY',
        message: `The database ${file} stayed locked by another process (SQLITE_BUSY); try again when that is done.`,
      });
      writer.exec('commit');
      expect((await store.runs.create(RUN)).id).toBe(1);
      writer.close();
      await store.close();
    }));
});

/** Lets timers and other work of this process have their turn. */
async function turns(): Promise<void> {
  for (let count = 0; count < 50; count++) await new Promise((resolve) => setImmediate(resolve));
}
