/** Schedules from one end to the other: real workers and a real service start what is due, and drive it. */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { onSqlite, withService } from '../http/with-service.ts';
import { withPostgresProject } from '../with-postgres-database.ts';
import { type CommandResult, type Project, USERS_CONFIG, USERS_SQL, withProject } from '../with-project.ts';

const TIMEOUT = { timeout: 180_000 };
const USERS = { sql: USERS_SQL, config: USERS_CONFIG };

/** Rows of one statement, as arrays; `{t}` before a table's name stands for its schema. */
type Rows = (sql: string) => Promise<unknown[][]>;

interface Place {
  readonly rows: Rows;
  fieldseal(...args: string[]): Promise<CommandResult>;
  spawn(...args: string[]): ReturnType<Project['spawn']>;
}

const rowsOf =
  ({ db }: Project): Rows =>
  async (sql) =>
    db((open) => {
      const statement = open.prepare<[], unknown[]>(sql.replaceAll('{t}', ''));
      if (statement.reader) return statement.raw().all();
      statement.run();
      return [];
    });

/** Sets the schedule's next time back, and returns what became of the run that is started then, once it is over. */
async function runWhenDue(rows: Rows, schedule: number): Promise<string> {
  const [last] = await rows('SELECT coalesce(max(id), 0) FROM {t}encryption_key_rotations');
  await rows(`UPDATE {t}sweep_schedules SET next_at = 1 WHERE id = ${schedule}`);
  for (;;) {
    const [run] = await rows(
      `SELECT id, kind, rotation_status, initiated_by, coalesce(new_key_version, ''), total_records, rotated_records, current_records
       FROM {t}encryption_key_rotations WHERE completed_at IS NOT NULL AND id =
         (SELECT last_run_id FROM {t}sweep_schedules WHERE id = ${schedule} AND last_run_id > ${last?.[0]})`,
    );
    if (run) return run.join(' ');
    await setTimeout(50);
  }
}

const places: [string, (work: (place: Place) => Promise<void>) => Promise<void>][] = [
  ['SQLite', (work) => withProject(USERS, (project) => work({ ...project, rows: rowsOf(project) }))],
  [
    'PostgreSQL',
    (work) =>
      withPostgresProject(USERS, ({ fieldseal, spawn, rows }) =>
        work({ fieldseal, spawn, rows: (sql) => rows(sql.replaceAll('{t}', 'fieldseal.')) }),
      ),
  ],
];

describe.each(places)('workers on %s', (_name, on) => {
  it('start what is due, once, and drive it to its end', TIMEOUT, () =>
    on(async ({ fieldseal, spawn, rows }) => {
      expect((await fieldseal('encrypt')).exitCode).toBe(0);
      expect((await fieldseal('schedule', 'add', 'rotate', '0 3 1 * *')).exitCode).toBe(0);
      expect((await fieldseal('schedule', 'add', 'verify', '0 4 * * *')).exitCode).toBe(0);
      const workers = [spawn('worker'), spawn('worker')];
      expect(await runWhenDue(rows, 1)).toBe('2 rotate completed schedule 1 v2 2 2 0');
      expect(await runWhenDue(rows, 2)).toBe('3 verify completed schedule 2  2 0 2');
      for (const worker of workers) {
        worker.kill('SIGTERM');
        expect(await once(worker, 'exit')).toEqual([0, null]);
      }
      expect((await rows('SELECT id FROM {t}encryption_key_rotations ORDER BY id')).join()).toBe('1,2,3');
    }),
  );
});

it('the service starts what is due; a verify that it cannot do fails, and is not in the way of the next', TIMEOUT, () =>
  withService(onSqlite, USERS, async ({ project, env }) => {
    const rows = rowsOf(project);
    const fieldseal = (...args: string[]) => project.fieldseal(...args, { env });
    expect((await fieldseal('encrypt')).exitCode).toBe(0);
    expect((await fieldseal('schedule', 'add', 'verify', '0 4 * * *')).exitCode).toBe(0);
    await rows('ALTER TABLE users RENAME TO away');
    expect(await runWhenDue(rows, 1)).toBe('2 verify failed schedule 1  0 0 0');
    await rows('ALTER TABLE away RENAME TO users');
    expect(await runWhenDue(rows, 1)).toBe('3 verify completed schedule 1  2 0 2');
  }),
);

it('the service logs why a time was skipped', TIMEOUT, () =>
  withService(onSqlite, USERS, async ({ project, env, output }) => {
    const rows = rowsOf(project);
    const fieldseal = (...args: string[]) => project.fieldseal(...args, { env });
    expect((await fieldseal('encrypt')).exitCode).toBe(0);
    expect((await fieldseal('schedule', 'add', 'rotate', '0 4 * * *')).exitCode).toBe(0);
    await rows(
      "INSERT INTO encryption_key_rotations (kind, rotation_status, initiated_by) VALUES ('decrypt', 'paused', 'cli')",
    );
    await rows('UPDATE sweep_schedules SET next_at = 1');
    while (!output().includes('schedule_not_started')) await setTimeout(50);
    const [line = ''] = output()
      .split('\n')
      .filter((text) => text.includes('schedule_not_started'));
    expect(JSON.parse(line)).toMatchObject({
      level: 'warn',
      schedule: 1,
      code: 'ERR_RUN_UNFINISHED',
      reason: expect.any(String),
    });
  }),
);
