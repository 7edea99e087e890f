/** After a crash PostgreSQL hands out the transaction ids again that it had not yet written down. */
import { expect, test } from 'vitest';
import { withPostgresSweep } from '../test/sweep/with-postgres-sweep.ts';
import { withPrivatePostgres } from './private-postgres.ts';

const SQL = "CREATE TABLE t (id int PRIMARY KEY, c text); INSERT INTO t VALUES (1, 'first'); CHECKPOINT";

test('a write that has the transaction id of one that was lost in a crash is not taken for it', async () => {
  await withPrivatePostgres((postgres) =>
    withPostgresSweep({ sql: SQL, serverUrl: postgres.url }, async (sweep) => {
      const version = async () => (await (await sweep.connect()).query('SELECT xmin::text, c FROM t')).rows[0];
      await sweep.client.query("SET synchronous_commit = off; UPDATE t SET c = 'lost' WHERE id = 1");
      const read = await version();
      const rows = await sweep.read();
      await postgres.crash('immediate shutdown');
      // Only if the write was really lost, and its id comes again, does this say anything.
      expect(await version()).toMatchObject({ c: 'first' });
      await (await sweep.connect()).query("UPDATE t SET c = 'kept' WHERE id = 1");
      expect(await version()).toEqual({ xmin: read.xmin, c: 'kept' });

      await sweep.commit(rows, sweep.work('encrypt'));
      expect(sweep.primary.decrypt((await version()).c)).toBe('kept');
    }),
  );
});
