/** What a worker leaves alone: it does nothing that nobody asked for. */
import { expect, it } from 'vitest';
import { parseDatabaseUrl } from '../../src/store/database-url.js';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import type { Dependencies } from '../../src/usecases/dependencies.js';
import { doWork } from '../../src/usecases/do-work.js';
import { findWork, type Work } from '../../src/usecases/find-work.js';
import { rotateKeys } from '../../src/usecases/rotate-keys.js';
import { stopRun } from '../../src/usecases/stop-run.js';
import { sweepTables } from '../../src/usecases/sweep-tables.js';
import { rejectionOf } from '../refusal.js';
import { withPostgresProject } from '../with-postgres-database.js';
import { configText, USERS_CONFIG, USERS_SQL, withProject } from '../with-project.js';
import { dependenciesOf } from './dependencies-of.js';

const OPTIONS = { dryRun: false, maxRowsPerSecond: null, allowTriggers: false };
const WORKER = { lanes: null, maxReplicationLagSeconds: null, ownsRotations: false };
const SERVICE = { ...WORKER, ownsRotations: true };
const VERIFY = { kind: 'verify', oldKeyVersion: null, newKeyVersion: null, notes: null } as const;

/** Another process. */
function other(deps: Dependencies, changed: Partial<Dependencies> = {}): Dependencies {
  return { ...deps, driver: { owner: 'other', isGone: () => false }, ...changed };
}

/** A process that is told to end with its first progress, and leaves its run to others. */
function breaking(deps: Dependencies, pass = 1): Dependencies {
  const stop = new AbortController();
  return {
    ...deps,
    stop: stop.signal,
    notify(notice) {
      if (notice.type === 'progress' && notice.pass === pass && notice.done > 0) stop.abort('shutdown');
    },
  };
}

async function find(store: Store, { driver }: Dependencies): Promise<Work> {
  return (await findWork(store, driver, () => false)) as Work;
}

/** Users, encrypted, and the store beside them. */
function withUsers(work: (deps: Dependencies, store: Store) => Promise<void>, users = 3): Promise<void> {
  const more = Array.from({ length: users - 3 }, (_, i) => `INSERT INTO users VALUES (${i + 4}, 'x', 'y');`).join('');
  return withProject({ sql: USERS_SQL + more, config: USERS_CONFIG }, async (project) => {
    const deps = dependenciesOf(project);
    await sweepTables(deps, 'encrypt', OPTIONS);
    const store = await openStore(deps.target);
    await work(deps, store).finally(() => store.close());
  });
}

it('on PostgreSQL it does not go on with a decryption that broke off', () =>
  withPostgresProject(
    {
      sql: `CREATE TABLE users (id integer PRIMARY KEY, phone text);
        INSERT INTO users SELECT i, 'phone' || i FROM generate_series(1, 5000) i`,
      config: USERS_CONFIG,
    },
    async (place) => {
      const deps = { ...dependenciesOf(place.project), target: parseDatabaseUrl(place.url) };
      await sweepTables(deps, 'encrypt', OPTIONS);
      const broken = await rejectionOf(() => sweepTables(breaking(deps), 'decrypt', OPTIONS));
      expect(broken.code).toBe('ERR_RUN_STOPPED');
      const store = await openStore(deps.target, { schema: deps.schema });
      const run = (await store.runs.unfinished())[0] as Work['run'];
      expect(await findWork(store, other(deps).driver, () => false)).toBeNull();
      expect(await doWork(other(deps), { run, as: 'helper' }, WORKER)).toMatchObject({ report: null, error: null });
      const [[plain]] = (await place.rows("SELECT count(*)::int FROM users WHERE phone LIKE 'phone%'")) as [[number]];
      expect(plain).toBeLessThan(5000);
      await store.close();
    },
  ));

it('it does not drive what was paused after it was found', () =>
  withUsers(async (deps, store) => {
    const { id } = await store.runs.create({ ...VERIFY, initiatedBy: 'schedule 1' });
    const work = await find(store, deps);
    await stopRun(deps, id, 'paused');
    expect(await doWork(other(deps), work, WORKER)).toMatchObject({ report: null, error: null });
    expect((await store.runs.get(id))?.status).toBe('paused');
  }));

it('it begins no other run when the one that it found is over by then', () =>
  withUsers(async (deps, store) => {
    const verify = await store.runs.create({ ...VERIFY, initiatedBy: 'schedule 1' });
    const found = await find(store, deps);
    const late = other(deps, {
      async loadConfig() {
        expect((await doWork(deps, found, WORKER)).report?.run).toBe(verify.id);
        return deps.loadConfig();
      },
    });
    expect(await doWork(late, found, WORKER)).toMatchObject({ report: null, error: null });

    await rejectionOf(() => rotateKeys(breaking(deps, 2), { ...OPTIONS, given: null }));
    const rotation = await find(store, deps);
    expect(rotation.run.kind).toBe('rotate');
    const cancelling = other(deps, {
      async loadConfig() {
        await stopRun(deps, rotation.run.id, 'cancelled');
        return deps.loadConfig();
      },
    });
    expect(await doWork(cancelling, rotation, WORKER)).toMatchObject({ report: null, error: null });
    expect((await store.runs.list(9)).map(({ kind, status }) => [kind, status])).toEqual([
      ['rotate', 'cancelled'],
      ['verify', 'completed'],
      ['encrypt', 'completed'],
    ]);
  }));

it('a service neither begins anew nor fails a rotation that somebody began by a command', () =>
  withUsers(async (deps, store) => {
    await rejectionOf(() => rotateKeys(breaking(deps, 2), { ...OPTIONS, given: null }));
    const work = await find(store, deps);
    expect(work.run.kind).toBe('rotate');
    const elsewhere = other(deps, { loadConfig: async () => null });
    const before = await store.runs.get(work.run.id);
    expect((await doWork(elsewhere, work, SERVICE)).report).toBeNull();
    expect((await store.runs.get(work.run.id))?.status).toBe('in_progress');
    expect((await store.runs.get(work.run.id))?.counts).toEqual(before?.counts);
    expect((await doWork(other(deps), work, SERVICE)).report).toMatchObject({ status: 'completed' });
  }));

it('a run of the version before, which has its declaration in the audit log alone, begins anew under another', () =>
  withProject(
    {
      sql: `${USERS_SQL} CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO notes VALUES (1, 'a note')`,
      config: USERS_CONFIG,
    },
    async (project) => {
      const deps = dependenciesOf(project);
      await rejectionOf(() => sweepTables(breaking(deps, 2), 'encrypt', OPTIONS));
      project.db((db) => db.exec('UPDATE encryption_key_rotations SET declaration = NULL'));
      const column = "encryptedString({ alsoReads: ['plaintext'] })";
      await project.write(
        'fieldseal.config.ts',
        configText(`users: { primaryKey: 'id', columns: { phone: ${column} } },
          notes: { primaryKey: 'id', columns: { body: ${column} } }`),
      );
      const report = await sweepTables(dependenciesOf(project), 'encrypt', OPTIONS);
      expect(report).toMatchObject({ run: 1, status: 'completed' });
      expect(report.columns.find(({ table }) => table === 'notes')).toMatchObject({ total: 1, rotated: 1 });
    },
  ));
