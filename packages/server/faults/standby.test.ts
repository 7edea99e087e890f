import { once } from 'node:events';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { expect, it } from 'vitest';
import { ended } from '../test/ended.ts';
import { configText, type JsonLine, type Project, withProject } from '../test/with-project.ts';
import { withStandby } from '../test/with-standby.ts';

const ROWS = 3_000;
const SQL = `CREATE TABLE t (id integer PRIMARY KEY, v text NOT NULL);
  INSERT INTO t SELECT i, 'value ' || i FROM generate_series(1, ${ROWS}) i`;
const CONFIG = configText("t: { primaryKey: 'id', columns: { v: encryptedString({ alsoReads: ['plaintext'] }) } }");
const LIMITED = ['--max-replication-lag', '1s'];
const BEHIND = /^It waits for the standby replica, which is (\d+) s behind \(at most 1 s\)\.$/;

it(
  'a sweep waits while a standby is further behind than it may be, says so, and goes on when it has caught up',
  {
    timeout: 240_000,
  },
  () =>
    withStandby(async ({ url, fallBehind, catchUp, isIdle }) =>
      withProject({ sql: null, config: CONFIG }, async (project) => {
        const env = { DATABASE_URL: url };
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        try {
          await client.query(SQL);
          const contents = async () => (await client.query("SELECT md5(string_agg(v, ' ' ORDER BY id)) FROM t")).rows;
          const run = (...args: string[]) => project.fieldseal(...args, '--json', { env });
          const status = async (id: number) => (await run('status', String(id))).last.run;
          const isSolo = async (id: number) =>
            (await client.query('SELECT solo FROM fieldseal.encryption_key_rotations WHERE id = $1', [id])).rows;

          // One that has caught up is not waited for, though there is no lag to be told.
          await isIdle();
          const encrypted = await run('encrypt', ...LIMITED);
          expect([encrypted.exitCode, encrypted.last.counts.rotated]).toEqual([0, ROWS]);

          await fallBehind(2);
          const before = await contents();
          const { id, child } = await waiting(project, env, 'rotate');
          const [, seconds] = BEHIND.exec((await status(id)).waitsBecause) ?? [];
          for (;;) {
            const [, later] = BEHIND.exec((await status(id)).waitsBecause) ?? [];
            if (Number(later) > Number(seconds)) break;
          }
          expect(await contents()).toEqual(before);
          expect(await isSolo(id)).toEqual([{ solo: true }]);

          // From elsewhere, and by a signal: the wait is over, and the run stays.
          const paused = ended(child);
          await run('pause', String(id));
          expect(await paused).toMatchObject({
            exitCode: 3,
            stdout: expect.stringContaining('was paused from elsewhere'),
          });
          expect(await status(id)).toMatchObject({ status: 'paused', waitsBecause: 'Somebody paused it.' });
          const again = await waiting(project, env, 'resume', String(id));
          const stopped = ended(again.child);
          again.child.kill('SIGTERM');
          expect(await stopped).toMatchObject({ exitCode: 3, stdout: expect.stringContaining('ERR_RUN_STOPPED') });
          expect(await status(id)).toMatchObject({ status: 'paused', errorDetails: null });

          // A killed one leaves its reason behind; nobody is to believe it.
          const killed = await waiting(project, env, 'resume', String(id));
          killed.child.kill('SIGKILL');
          await once(killed.child, 'exit');
          expect(await status(id)).toMatchObject({
            status: 'stalled',
            waitsBecause: 'The process that drove it is gone.',
          });
          expect(await contents()).toEqual(before);

          const last = await waiting(project, env, 'resume', String(id));
          const done = ended(last.child);
          await catchUp();
          expect((await done).exitCode).toBe(0);
          expect(await status(id)).toMatchObject({
            status: 'completed',
            waitsBecause: null,
            errorDetails: null,
            report: { left: 0, counts: { total: ROWS, rotated: ROWS } },
          });

          // Nobody drives this one any more. A worker keeps to its own bound, and leaves the run open to others.
          await client.query(
            "INSERT INTO fieldseal.keyring_readers VALUES ('elsewhere', 0, extract(epoch FROM now())::bigint + 3600)",
          );
          const begun = project.spawn('rotate', '--json', { env });
          for await (const line of createInterface({ input: begun.stdout as NodeJS.ReadableStream })) {
            if (JSON.parse(line).readers === 1) begun.kill('SIGKILL');
          }
          await client.query('DELETE FROM fieldseal.keyring_readers');
          await fallBehind(2);
          const worker = await waiting(project, env, 'worker');
          expect(await status(worker.id)).toMatchObject({
            kind: 'rotate',
            status: 'in_progress',
            waitsBecause: expect.stringMatching(BEHIND),
          });
          expect(await isSolo(worker.id)).toEqual([{ solo: false }]);
          const workerEnded = ended(worker.child);
          await catchUp();
          while ((await status(worker.id)).status !== 'completed');
          worker.child.kill('SIGTERM');
          expect((await workerEnded).exitCode).toBe(0);
        } finally {
          await client.end();
        }
      }),
    ),
);

/** Starts a sweep, and returns when it waits for the standby. */
async function waiting(project: Project, env: Record<string, string>, ...args: string[]) {
  const child = project.spawn(...args, ...LIMITED, '--json', { env });
  let id = 0;
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const told: JsonLine = JSON.parse(line);
    if (told.type === 'run' || told.type === 'work') id = told.run;
    if (told.type === 'waiting' && BEHIND.test(told.because)) return { id, child };
  }
  throw new Error('the sweep ended without waiting for the standby');
}
