import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { LOCKED, SLOW } from '../src/sweep/brake.js';
import { ended } from '../test/ended.ts';
import { type PostgresProject, withPostgresProject } from '../test/with-postgres-database.ts';
import { configText, type JsonLine, USERS_CONFIG, USERS_SQL, withProject } from '../test/with-project.ts';

const ROWS = 1_200;
const SQL = `CREATE TABLE t (id integer PRIMARY KEY, v text NOT NULL);
  INSERT INTO t SELECT i, 'value ' || i FROM generate_series(1, ${ROWS}) i`;
const CONFIG = configText("t: { primaryKey: 'id', columns: { v: encryptedString({ alsoReads: ['plaintext'] }) } }");

/** Starts a sweep, and returns when it says that it waits. */
async function waiting({ spawn }: PostgresProject, because: string, ...args: string[]) {
  const child = spawn(...args, '--json');
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const told: JsonLine = JSON.parse(line);
    if (told.type !== 'waiting') continue;
    expect(told).toEqual({ type: 'waiting', because });
    return child;
  }
  throw new Error('the sweep ended without having waited');
}

/** The run as `status` shows it, once it waits for that. */
async function waitsBecause({ fieldseal }: PostgresProject, because: string | null): Promise<JsonLine> {
  for (;;) {
    const { run } = (await fieldseal('status', '1', '--json')).last;
    if (run.waitsBecause === because) return run;
  }
}

describe('a sweep on PostgreSQL', () => {
  it('rests after batches that take several times as long as they should, says so, and comes to its end', async () => {
    const slow = `${SQL};
      CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END';
      CREATE TRIGGER slow AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()`;
    await withPostgresProject({ sql: slow, config: CONFIG }, async (place) => {
      const child = await waiting(place, SLOW, 'encrypt', '--allow-triggers');
      const done = ended(child);
      expect((await done).exitCode).toBe(0);
      expect(await waitsBecause(place, null)).toMatchObject({
        status: 'completed',
        errorDetails: null,
        report: { counts: { total: ROWS, rotated: ROWS } },
      });
    });
  });

  it('that meets a lock for long says so while it lasts, and goes on behind it', async () => {
    await withPostgresProject({ sql: SQL, config: CONFIG }, async (place) => {
      await place.client.query('BEGIN; SELECT FROM t WHERE id = 1 FOR UPDATE');
      const done = ended(await waiting(place, LOCKED, 'encrypt'));
      expect(await waitsBecause(place, LOCKED)).toMatchObject({ status: 'in_progress' });
      await place.client.query('COMMIT');
      expect((await done).exitCode).toBe(0);
      expect(await waitsBecause(place, null)).toMatchObject({
        status: 'completed',
        errorDetails: null,
        report: { counts: { total: ROWS, rotated: ROWS } },
      });
    });
  });
});

const LIMITED = ['--max-replication-lag', '10s', '--json'];

describe('--max-replication-lag', () => {
  it('is refused to a role that cannot see how far standbys are, with what mends that, before anything is written', async () => {
    const role = `App_${randomUUID().replaceAll('-', '')}`;
    await withPostgresProject({ sql: SQL, config: CONFIG }, async ({ url, client, rows, fieldseal }) => {
      const database = new URL(url).pathname.slice(1);
      await client.query(`CREATE ROLE "${role}" LOGIN PASSWORD 'app'; GRANT ALL ON t TO "${role}";
        GRANT CREATE ON DATABASE ${database} TO "${role}"`);
      try {
        const env = { DATABASE_URL: Object.assign(new URL(url), { username: role, password: 'app' }).href };
        const mend = `GRANT pg_monitor TO "${role}"`;
        for (const command of ['encrypt', 'worker']) {
          const { exitCode, last } = await fieldseal(command, ...LIMITED, { env });
          expect([exitCode, last]).toEqual([
            2,
            {
              type: 'error',
              code: 'ERR_USAGE',
              message: `--max-replication-lag: the user of DATABASE_URL may not see how far standbys are behind; ${mend} mends that.`,
            },
          ]);
        }
        expect(await rows("SELECT nspname FROM pg_namespace WHERE nspname = 'fieldseal'")).toEqual([]);
        await client.query(mend);
        expect((await fieldseal('encrypt', ...LIMITED, { env })).last).toMatchObject({ status: 'completed' });
      } finally {
        await client.query(`DROP OWNED BY "${role}"; DROP ROLE "${role}"`);
      }
    });
  });

  it('is refused on SQLite', async () => {
    await withProject({ sql: USERS_SQL, config: USERS_CONFIG }, async ({ fieldseal, databaseFiles }) => {
      const before = await databaseFiles();
      for (const command of ['encrypt', 'rotate', 'decrypt', 'verify', 'worker']) {
        const { exitCode, last } = await fieldseal(command, ...LIMITED);
        expect([exitCode, last.code, last.message]).toEqual([
          2,
          'ERR_USAGE',
          '--max-replication-lag is for PostgreSQL; a SQLite file has no standbys.',
        ]);
      }
      expect(await databaseFiles()).toEqual(before);
    });
  });
});
