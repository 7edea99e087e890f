/** A PostgreSQL of a test's own that it may crash; unlike the shared one it syncs what it commits. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { startPostgresServer } from '../test/postgres-server.ts';

const DURABLE = ['fsync=on', 'full_page_writes=on', 'synchronous_commit=on'];
const START_MS = 60_000;

export const CRASHES = ['immediate shutdown', 'SIGKILL of the postmaster', 'SIGKILL of a backend'] as const;

export interface PrivatePostgres {
  readonly url: string;
  /** Crashes it and returns when it answers again. */
  crash(how: (typeof CRASHES)[number]): Promise<void>;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

export async function withPrivatePostgres<T>(work: (postgres: PrivatePostgres) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fieldseal-crash-'));
  try {
    const { server, url, dataFolder } = await startPostgresServer(folder, DURABLE);
    const postmaster = async () => Number((await readFile(join(dataFolder, 'postmaster.pid'), 'utf8')).split('\n')[0]);
    const connect = async () => {
      const client = new pg.Client({ connectionString: url });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    };
    /** Tries until it works: a killed postmaster's own processes take a moment to end, and recovery does too. */
    const untilItWorks = async <R>(attempt: () => Promise<R>): Promise<R> => {
      for (const startedMs = performance.now(); ; await setTimeout(50)) {
        try {
          return await attempt();
        } catch (error) {
          if (performance.now() - startedMs > START_MS) throw error ?? new Error('PostgreSQL does not come back');
        }
      }
    };
    try {
      return await work({
        url,
        async crash(how) {
          if (how === 'SIGKILL of a backend') {
            const client = await connect();
            const { rows } = await client.query<{ pid: number }>(
              "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY application_name DESC LIMIT 1",
            );
            // The postmaster ends all the others too, this connection among them, and recovers.
            const ended = new Promise((resolve) => client.once('end', resolve));
            process.kill(rows[0]?.pid as number, 'SIGKILL');
            await ended;
          } else {
            const pid = await postmaster();
            process.kill(pid, how === 'immediate shutdown' ? 'SIGQUIT' : 'SIGKILL');
            while (isAlive(pid)) await setTimeout(10);
            await untilItWorks(() => server.start());
          }
          await (await untilItWorks(connect)).end();
        },
      });
    } finally {
      await server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
