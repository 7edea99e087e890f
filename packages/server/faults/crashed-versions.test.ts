/** After a crash PostgreSQL hands out the transaction ids again that it had not yet written down. */
import type pg from 'pg';
import { expect, test } from 'vitest';
import type { SweptRow } from '../src/sweep/sweep-database.ts';
import { withPostgresSweep } from '../test/sweep/with-postgres-sweep.ts';
import { withPrivatePostgres } from './private-postgres.ts';

const SQL = "CREATE TABLE t (id int PRIMARY KEY, c text); INSERT INTO t VALUES (1, 'first'); CHECKPOINT";

/** Stops all that would write an asynchronous commit down a moment later; returns how it goes on, if it is still there. */
async function stopWriters(client: pg.Client): Promise<() => void> {
  const { rows } = await client.query(
    "SELECT pid FROM pg_stat_activity WHERE backend_type IN ('walwriter', 'background writer', 'checkpointer')",
  );
  const pids = (rows as { pid: number }[]).map(({ pid }) => pid);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  return () => {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // The crash has ended it.
      }
    }
  };
}

test('a write that has the transaction id of one that was lost in a crash is not taken for it', async () => {
  await withPrivatePostgres((postgres) =>
    withPostgresSweep({ sql: SQL, serverUrl: postgres.url }, async (sweep) => {
      const version = async () => (await (await sweep.connect()).query('SELECT xmin::text, c FROM t')).rows[0];
      let read: { xmin: string; c: string };
      let rows: readonly SweptRow[];
      const goOn = await stopWriters(sweep.client);
      try {
        await sweep.client.query("SET synchronous_commit = off; UPDATE t SET c = 'lost' WHERE id = 1");
        read = await version();
        rows = await sweep.read();
        await postgres.crash('immediate shutdown');
      } finally {
        goOn();
      }
      // Only if the write was really lost, and its id comes again, does this say anything.
      expect(await version()).toMatchObject({ c: 'first' });
      await (await sweep.connect()).query("UPDATE t SET c = 'kept' WHERE id = 1");
      expect(await version()).toEqual({ xmin: read.xmin, c: 'kept' });

      await sweep.commit(rows, sweep.work('encrypt'));
      expect(sweep.primary.decrypt((await version()).c)).toBe('kept');
    }),
  );
});
