import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { databaseProvider, EncryptionService, openKeyring } from 'fieldseal';
import { expect, it } from 'vitest';
import { type PostgresProject, withPostgresProject } from '../test/with-postgres-database.ts';
import { configText } from '../test/with-project.ts';

/** Three ranges. */
const ROWS = 120_000;
const SQL = `CREATE TABLE t (id integer PRIMARY KEY, v text NOT NULL);
  INSERT INTO t SELECT i, 'value ' || i FROM generate_series(1, ${ROWS}) i`;
const CONFIG = configText("t: { primaryKey: 'id', columns: { v: encryptedString({ alsoReads: ['plaintext'] }) } }");

/** Returns once the process has claimed a range. */
async function hasRange({ rows }: PostgresProject, pid: number | undefined): Promise<void> {
  const sql = "SELECT FROM fieldseal.sweep_ranges WHERE state = 'running' AND split_part(owner, ':', 2) = $1";
  while ((await rows(sql, [String(pid)])).length === 0) await setTimeout(5);
}

async function reportOf({ rows }: PostgresProject, kind: string) {
  const sql = 'SELECT report FROM fieldseal.encryption_key_rotations WHERE kind = $1 AND report IS NOT NULL';
  for (;;) {
    const [row] = await rows(sql, [kind]);
    if (row) return JSON.parse(row[0] as string);
    await setTimeout(50);
  }
}

async function contents({ rows }: PostgresProject): Promise<unknown> {
  const [table] = await rows("SELECT md5(string_agg(v, ' ' ORDER BY id)) FROM t");
  return [table, await rows('SELECT * FROM fieldseal.sweep_ranges ORDER BY id')];
}

it(
  'a worker helps, takes over from a killed driver, and writes nothing once others have taken its range',
  {
    timeout: 240_000,
  },
  () =>
    withPostgresProject({ sql: SQL, config: CONFIG }, async (place) => {
      const worker = place.spawn('worker', '--json');
      const output: string[] = [];
      worker.stdout?.on('data', (data: Buffer) => output.push(data.toString()));

      while ((await place.rows("SELECT to_regclass('fieldseal.sweep_ranges')"))[0]?.[0] === null) await setTimeout(20);

      const killed = place.spawn('encrypt', '--concurrency', '1');
      await hasRange(place, killed.pid);
      // Its run and its range stay its own for as long as the leases last; the rest is free for others.
      killed.kill('SIGSTOP');
      await hasRange(place, worker.pid);
      killed.kill('SIGKILL');
      const counts = { total: ROWS, rotated: ROWS, current: 0, skipped: 0, failed: 0 };
      expect(await reportOf(place, 'encrypt')).toMatchObject({ status: 'completed', left: 0, failures: [], counts });
      expect(output.join('')).toContain('{"type":"work","run":1,"as":"helper"}');
      expect(output.join('')).toContain('{"type":"work","run":1,"as":"driver"}');

      const driver = place.spawn('rotate', '--concurrency', '1');
      await hasRange(place, driver.pid);
      driver.kill('SIGSTOP');
      await hasRange(place, worker.pid);
      worker.kill('SIGSTOP');
      await place.client.query(
        "UPDATE fieldseal.sweep_ranges SET lease_until = 1 WHERE state = 'running' AND split_part(owner, ':', 2) = $1",
        [String(worker.pid)],
      );
      driver.kill('SIGCONT');
      expect(await once(driver, 'exit')).toEqual([0, null]);
      expect(await reportOf(place, 'rotate')).toMatchObject({ status: 'completed', left: 0, failures: [], counts });
      const before = await contents(place);
      worker.kill('SIGCONT');
      worker.kill('SIGTERM');
      expect(await once(worker, 'exit')).toEqual([0, null]);
      expect(await contents(place)).toEqual(before);

      const query = async (sql: string, parameters: readonly unknown[]) =>
        (await place.client.query(sql, [...parameters])).rows;
      const keyring = await openKeyring(databaseProvider({ dialect: 'postgres', query, rootKey: place.project.key }));
      const service = new EncryptionService(keyring);
      const stored = await place.rows('SELECT id, v FROM t');
      const read = service.decryptFields(stored.map(([, v]) => v as string));
      expect(stored.every(([id], i) => read[i] === `value ${id}`)).toBe(true);
      await keyring.close();
    }),
);
