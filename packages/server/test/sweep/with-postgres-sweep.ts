/** A PostgreSQL database with one swept table `t`, a run under way in it, and a sweep's session: what a driver has. */
import { addPurposeKey, defineModel, encryptedString, type Model, type SubjectSource } from 'fieldseal';
import { parseDatabaseUrl } from '../../src/store/database-url.js';
import { openStore } from '../../src/store/open-store.js';
import type { RunKind, Store } from '../../src/store/store.js';
import { postgresPreflight } from '../../src/sweep/postgres-preflight.js';
import { PostgresSession } from '../../src/sweep/postgres-session.js';
import { PostgresSweepDatabase } from '../../src/sweep/postgres-sweep-database.js';
import { rowWork } from '../../src/sweep/row-work.js';
import type { Checkpoint, RowWork, SweptRow } from '../../src/sweep/sweep-database.js';
import { countedColumns, type PostgresSweptTable } from '../../src/sweep/swept-table.js';
import { emptyTally, NO_RECORDS, sumCounts, type Tally } from '../../src/sweep/tally.js';
import { TRANSFORMS } from '../../src/sweep/transform.js';
import { type PostgresDatabase, withPostgresDatabase } from '../with-postgres-database.ts';
import { type FreshRing, freshRing } from './fresh-ring.js';

export const SERVICE_SCHEMA = 'fieldseal';

export interface PostgresSweep extends FreshRing, PostgresDatabase {
  readonly database: PostgresSweepDatabase;
  readonly store: Store;
  readonly table: PostgresSweptTable;
  readonly fence: number;
  read(): Promise<SweptRow[]>;
  /** Commits a batch with a checkpoint, and returns the tally. */
  commit(rows: readonly SweptRow[], work: (row: SweptRow) => RowWork, checkpoint?: Partial<Checkpoint>): Promise<Tally>;
  /** What a kind of run does to each row. */
  work(kind: RunKind): (row: SweptRow) => RowWork;
  /** Run, range and failures as the database holds them. */
  bookkeeping(): Promise<{ run: unknown; ranges: unknown; failures: unknown }>;
}

export interface PostgresSweepOptions {
  readonly sql: string;
  /** The swept columns of `t`. */
  readonly columns?: readonly string[];
  readonly primaryKey?: string | readonly string[];
  /** What declares `t`, in the place of `columns` and `primaryKey`. */
  readonly model?: Model;
  /** What kind of run the table is prepared for; `encrypt` unless told. */
  readonly kind?: RunKind;
  readonly subjects?: SubjectSource;
  /** The URL that the sweep's own session connects to, in the place of the database's. */
  readonly through?: (url: string) => string;
}

export function withPostgresSweep<T>(
  {
    sql,
    columns = ['c'],
    primaryKey = 'id',
    model,
    kind = 'encrypt',
    subjects,
    through = (url) => url,
  }: PostgresSweepOptions,
  use: (sweep: PostgresSweep) => Promise<T>,
): Promise<T> {
  return withPostgresDatabase(sql, async (under) => {
    const session = await PostgresSession.open({
      connectionString: through(under.url),
      name: 'The database',
      readOnly: false,
    });
    const store = await openStore(parseDatabaseUrl(under.url), { schema: SERVICE_SCHEMA });
    try {
      const declared = Object.fromEntries(
        columns.map((column) => [column, encryptedString({ alsoReads: ['plaintext'] })]),
      );
      const plain = defineModel({ t: { primaryKey, columns: declared } }) as Model;
      const options = { kind, allowTriggers: true, serviceSchema: SERVICE_SCHEMA };
      const { tables } = await postgresPreflight(session, model ?? plain, options);
      return await use(await begin(tables, session, store, under, subjects ?? null));
    } finally {
      await store.close();
      await session.close();
    }
  });
}

async function begin(
  tables: readonly PostgresSweptTable[],
  session: PostgresSession,
  store: Store,
  under: PostgresDatabase,
  subjects: SubjectSource | null,
): Promise<PostgresSweep> {
  const fresh = freshRing();
  const keys = { ...fresh, ring: addPurposeKey(fresh.ring, 'blind-index', Date.now()) };
  const run = await store.runs.create({
    kind: 'encrypt',
    oldKeyVersion: null,
    newKeyVersion: null,
    notes: null,
    initiatedBy: 'cli',
  });
  const fence = (await store.runs.claim(run.id, 'driver', 60, false)) as number;
  await store.runs.update(run.id, fence, { status: 'in_progress' });
  await store.runs.createRanges([{ runId: run.id, pass: 1, seq: 0, tableName: 't', part: 'key' }]);
  const [range] = await store.runs.ranges(run.id, 1);
  const database = new PostgresSweepDatabase(session, SERVICE_SCHEMA, tables);
  const table = tables[0] as PostgresSweptTable;
  return {
    ...under,
    ...keys,
    database,
    store,
    table,
    fence,
    read: () => database.read(table, 'key', null, 1000),
    work: (kind) =>
      rowWork(table, keys.ring, TRANSFORMS[kind], { canStore: (text) => database.canStore(text), subjects }),
    commit: (rows, work, checkpoint = {}) =>
      database.commit(table, 'key', rows, work, {
        runId: run.id,
        fence,
        rangeId: range?.id as number,
        cursor: '[["integer","9"]]',
        done: true,
        tally: emptyTally(countedColumns(table)),
        runCounts: (tally) => ({ ...NO_RECORDS, ...(tally['c'] ?? sumCounts(Object.values(tally))) }),
        ...checkpoint,
      }),
    async bookkeeping() {
      const current = await store.runs.get(run.id);
      return {
        run: current?.counts,
        ranges: (await store.runs.ranges(run.id, 1)).map(({ cursor, state, counts }) => ({ cursor, state, counts })),
        failures: await store.runs.failures(run.id, 100),
      };
    },
  };
}
