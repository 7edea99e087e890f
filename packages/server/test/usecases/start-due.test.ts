/** What is due is started once, or skipped, on both databases. */
import { describe, expect, it } from 'vitest';
import { parseDatabaseUrl } from '../../src/store/database-url.js';
import { openStore } from '../../src/store/open-store.js';
import type { Schedule } from '../../src/store/schedule.js';
import type { Store } from '../../src/store/store.js';
import { addSchedule } from '../../src/usecases/add-schedule.js';
import type { Dependencies } from '../../src/usecases/dependencies.js';
import { findWork } from '../../src/usecases/find-work.js';
import { listSchedules } from '../../src/usecases/list-schedules.js';
import { removeSchedule } from '../../src/usecases/remove-schedule.js';
import { startDue } from '../../src/usecases/start-due.js';
import { sweepTables } from '../../src/usecases/sweep-tables.js';
import { rejectionOf } from '../refusal.js';
import { withPostgresProject } from '../with-postgres-database.ts';
import { USERS_CONFIG, USERS_SQL, withProject } from '../with-project.js';
import { dependenciesOf } from './dependencies-of.js';
import { REALLY } from './with-rotated.js';

interface Place {
  readonly deps: Dependencies;
  /** Rows of the service's own tables; `{t}` before a table's name stands for its schema. */
  query(sql: string): Promise<Record<string, unknown>[]>;
}

type OnPlace = (work: (place: Place) => Promise<void>) => Promise<void>;

const onSqlite: OnPlace = (work) =>
  withProject((project) =>
    work({
      deps: dependenciesOf(project),
      query: async (sql) =>
        project.db((db) => {
          const statement = db.prepare<[], Record<string, unknown>>(sql.replaceAll('{t}', ''));
          if (statement.reader) return statement.all();
          statement.run();
          return [];
        }),
    }),
  );

const onPostgres: OnPlace = (work) =>
  withPostgresProject({ sql: USERS_SQL, config: USERS_CONFIG }, ({ project, url, client }) =>
    work({
      deps: { ...dependenciesOf(project), target: parseDatabaseUrl(url) },
      query: async (sql) => (await client.query(sql.replaceAll('{t}', 'fieldseal.'))).rows,
    }),
  );

const MONTHLY = { cron: '0 3 1 * *', timezone: 'Europe/Berlin' };

interface PlaceWithStores extends Place {
  readonly stores: readonly Store[];
  /** The first of them. */
  readonly store: Store;
  /** Lets many of its times have passed, with nobody there. */
  makeDue(id: number): Promise<Schedule>;
  startWhenDue(id: number): ReturnType<typeof startDue>;
}

/** Runs `work` on an encrypted database with some stores, as several processes have them. */
function withStores(on: OnPlace, work: (place: PlaceWithStores) => Promise<void>): Promise<void> {
  return on(async (place) => {
    const { deps, query } = place;
    await sweepTables(deps, 'encrypt', REALLY);
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStore(deps.target)));
    const store = stores[0] as Store;
    const makeDue = async (id: number) => {
      await query(`UPDATE {t}sweep_schedules SET next_at = 1 WHERE id = ${id}`);
      const schedule = (await store.schedules.due()).find((found) => found.id === id);
      if (!schedule) throw new Error('it is due');
      return schedule;
    };
    const startWhenDue = async (id: number) => startDue(startingWith(deps), store, await makeDue(id));
    try {
      await work({ ...place, stores, store, makeDue, startWhenDue });
    } finally {
      await Promise.all(stores.map((open) => open.close()));
    }
  });
}

function startingWith({ keys }: Pick<Dependencies, 'keys'>, readers: 'stored' | 'env' = 'stored') {
  return { keys, rotationKeys: async () => readers };
}

const auditOf = async ({ query }: Place, resourceType: string) =>
  (
    await query(`SELECT action, status, details FROM {t}audit_logs WHERE resource_type = '${resourceType}' ORDER BY id`)
  ).map(({ action, status, details }) => [action, status, JSON.parse(String(details))]);

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
])('a schedule on %s', (_name, on) => {
  it('that is due is started by exactly one of many processes, and once for all times that were missed', () =>
    withStores(on, async (place) => {
      const { deps, query, stores, store } = place;
      const added = await addSchedule(deps, { kind: 'rotate', ...MONTHLY });
      await query('UPDATE {t}sweep_schedules SET next_at = 1');
      const schedules = await Promise.all(stores.map((open) => open.schedules.due()));
      const started = await Promise.all(
        schedules.flatMap((found, i) =>
          found.map((schedule) => startDue(startingWith(deps), stores[i] as Store, schedule)),
        ),
      );
      expect(started).toEqual([null, null, null, null]);
      expect(await store.schedules.due()).toEqual([]);
      expect(await listSchedules(deps)).toEqual([{ ...added, lastAt: expect.any(String), lastRun: 2 }]);
      expect(await store.runs.unfinished()).toMatchObject([
        {
          id: 2,
          kind: 'rotate',
          status: 'pending',
          oldKeyVersion: 'v1',
          newKeyVersion: 'v2',
          initiatedBy: 'schedule 1',
        },
      ]);
      expect(
        await query("SELECT version, state FROM {t}encryption_keys WHERE purpose = 'field' ORDER BY version"),
      ).toEqual([
        { version: 'v1', state: 'primary' },
        { version: 'v2', state: 'pending' },
      ]);
      expect(await auditOf(place, 'schedule')).toEqual([
        ['schedule_added', 'success', { kind: 'rotate', ...MONTHLY }],
        ['schedule_started', 'success', { kind: 'rotate', run: 2, dueAt: '1970-01-01T00:00:00.001Z' }],
      ]);
      expect((await auditOf(place, 'sweep_run')).at(-1)).toEqual([
        'rotate_started',
        'success',
        { initiatedBy: 'schedule 1', oldKeyVersion: 'v1', newKeyVersion: 'v2' },
      ]);
    }));

  it('skips a time at which a run is in its way; a verify is in the way of a verify only', () =>
    withStores(on, async (place) => {
      const { deps, store, startWhenDue } = place;
      await addSchedule(deps, { kind: 'rotate', ...MONTHLY });
      await addSchedule(deps, { kind: 'verify', ...MONTHLY });
      const encrypt = {
        kind: 'encrypt',
        oldKeyVersion: null,
        newKeyVersion: null,
        notes: null,
        initiatedBy: 'cli',
      } as const;
      await store.runs.create(encrypt);
      const reason = expect.stringMatching(/^Run 2 \(encrypt\) is unfinished; finish it/);
      expect(await startWhenDue(1)).toEqual({ code: 'ERR_RUN_UNFINISHED', reason });
      expect(await startWhenDue(2)).toBeNull();
      expect(await startWhenDue(2)).toEqual({ code: 'ERR_RUN_UNFINISHED', reason: 'Run 3 (verify) is unfinished.' });
      await store.runs.stop(2, 'cancelled');
      expect(await startWhenDue(1)).toBeNull();
      await store.runs.stop(4, 'paused');
      const rotation = 'Rotation 4 is unfinished; see its status.';
      expect(await startWhenDue(1)).toEqual({ code: 'ERR_RUN_UNFINISHED', reason: rotation });
      expect(await store.schedules.due()).toEqual([]);
      expect(await listSchedules(deps)).toMatchObject([{ lastRun: 4 }, { lastRun: 3 }]);
      expect(await auditOf(place, 'schedule')).toMatchObject([
        ['schedule_added', 'success', { kind: 'rotate' }],
        ['schedule_added', 'success', { kind: 'verify' }],
        ['schedule_skipped', 'failure', { kind: 'rotate', code: 'ERR_RUN_UNFINISHED', reason }],
        ['schedule_started', 'success', { kind: 'verify', run: 3 }],
        ['schedule_skipped', 'failure', { kind: 'verify', code: 'ERR_RUN_UNFINISHED' }],
        ['schedule_started', 'success', { kind: 'rotate', run: 4 }],
        ['schedule_skipped', 'failure', { kind: 'rotate', code: 'ERR_RUN_UNFINISHED', reason: rotation }],
      ]);
    }));

  it('makes a verify that workers drive', () =>
    withStores(on, async ({ deps, store, startWhenDue }) => {
      await addSchedule(deps, { kind: 'verify', ...MONTHLY });
      expect(await findWork(store, deps.driver, () => false)).toBeNull();
      expect(await startWhenDue(1)).toBeNull();
      expect(await findWork(store, deps.driver, () => false)).toMatchObject({
        as: 'driver',
        run: { id: 2, kind: 'verify', status: 'pending', newKeyVersion: null, initiatedBy: 'schedule 1' },
      });
    }));

  it('starts no rotation that readers could not follow', () =>
    withStores(on, async (place) => {
      const { deps, store, makeDue } = place;
      await addSchedule(deps, { kind: 'rotate', ...MONTHLY });
      const found = await makeDue(1);
      const reason = expect.stringMatching(/^The configuration says keys: 'env'/);
      expect(await startDue(startingWith(deps, 'env'), store, found)).toEqual({ code: 'ERR_ROTATE_ENV_KEYS', reason });
      expect(await store.runs.unfinished()).toEqual([]);
      expect((await auditOf(place, 'schedule')).at(-1)).toMatchObject(['schedule_skipped', 'failure', { reason }]);
    }));

  it('is left as it is by a process that cannot open the keyring, for others to start', () =>
    withStores(on, async (place) => {
      const { deps, store, makeDue } = place;
      await addSchedule(deps, { kind: 'verify', ...MONTHLY });
      const found = await makeDue(1);
      const keyless = startingWith({ keys: { current: null, previous: [], root: null } });
      expect((await rejectionOf(() => startDue(keyless, store, found))).code).toBe('ERR_KEY_MISSING');
      expect(await store.schedules.due()).toEqual([found]);
      expect(await auditOf(place, 'schedule')).toHaveLength(1);
    }));

  it('that was removed meanwhile starts nothing', () =>
    withStores(on, async (place) => {
      const { deps, store, makeDue } = place;
      await addSchedule(deps, { kind: 'verify', ...MONTHLY });
      const found = await makeDue(1);
      await removeSchedule(deps, 1);
      expect(await startDue(startingWith(deps), store, found)).toBeNull();
      expect(await store.runs.unfinished()).toEqual([]);
      expect(await auditOf(place, 'schedule')).toEqual([
        ['schedule_added', 'success', { kind: 'verify', ...MONTHLY }],
        ['schedule_removed', 'success', { kind: 'verify', ...MONTHLY }],
      ]);
    }));
});
