/** A SQLite file with one swept table `t`, a run under way in it, and a sweep's connection: what a driver has. */
import Database from 'better-sqlite3';
import {
  addPurposeKey,
  defineModel,
  encryptedString,
  type KeyringSnapshot,
  type Model,
  type SubjectSource,
} from 'fieldseal';
import { openSqlite } from '../../src/store/open-sqlite.js';
import { openStore } from '../../src/store/open-store.js';
import type { RunKind, Store } from '../../src/store/store.js';
import { rowWork } from '../../src/sweep/row-work.js';
import { sqlitePreflight } from '../../src/sweep/sqlite-preflight.js';
import { SqliteSweepDatabase } from '../../src/sweep/sqlite-sweep-database.js';
import type { Checkpoint, RangePart, RowWork, SweptRow } from '../../src/sweep/sweep-database.js';
import { countedColumns, type SweptTable } from '../../src/sweep/swept-table.js';
import { emptyTally, NO_RECORDS, sumCounts, type Tally } from '../../src/sweep/tally.js';
import { TRANSFORMS } from '../../src/sweep/transform.js';
import { withSqliteFile } from '../store/sqlite-file.js';
import { type FreshRing, freshRing } from './fresh-ring.js';

export interface Sweep extends FreshRing {
  readonly database: SqliteSweepDatabase;
  /** The sweep's own connection. */
  readonly own: Database.Database;
  /** The connection of an application. */
  readonly app: Database.Database;
  readonly store: Store;
  readonly table: SweptTable;
  readonly fence: number;
  read(part?: RangePart): SweptRow[];
  /** Commits a batch with a checkpoint, and returns the tally. */
  commit(rows: readonly SweptRow[], work: (row: SweptRow) => RowWork, checkpoint?: Partial<Checkpoint>): Tally;
  /** What a kind of run does to each row. */
  work(kind: RunKind): (row: SweptRow) => RowWork;
  /** Run, range and failures as the database holds them. */
  bookkeeping(): Promise<{ run: unknown; ranges: unknown; failures: unknown }>;
}

export interface SweepSetup {
  readonly sql: string;
  /** Swept as encrypted strings. */
  readonly columns?: readonly string[];
  readonly primaryKey?: string | readonly string[];
  /** What declares `t`, in the place of `columns` and `primaryKey`. */
  readonly model?: Model;
  /** What kind of run the table is prepared for; `encrypt` unless told. */
  readonly kind?: RunKind;
  readonly subjects?: SubjectSource;
}

/** `columns` of `t` are swept; its key is declared as `primaryKey`. */
export async function withSweep<T>(
  { sql, columns = ['c'], primaryKey = 'id', model, kind = 'encrypt', subjects }: SweepSetup,
  use: (sweep: Sweep) => Promise<T>,
): Promise<T> {
  return withSqliteFile(async (file) => {
    const app = new Database(file).exec(sql);
    const own = openSqlite(file);
    const store = await openStore({ dialect: 'sqlite', file });
    try {
      const declared = Object.fromEntries(
        columns.map((column) => [column, encryptedString({ alsoReads: ['plaintext'] })]),
      );
      const plain = defineModel({ t: { primaryKey, columns: declared } }) as Model;
      const { tables } = sqlitePreflight(own, model ?? plain, { kind, allowTriggers: false });
      return await use(await begin(tables[0] as SweptTable, own, app, store, subjects ?? null));
    } finally {
      await store.close();
      own.close();
      app.close();
    }
  });
}

async function begin(
  table: SweptTable,
  own: Database.Database,
  app: Database.Database,
  store: Store,
  subjects: SubjectSource | null,
): Promise<Sweep> {
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
  const database = new SqliteSweepDatabase(own);
  const workWith = (ring: KeyringSnapshot, kind: RunKind) => rowWork(table, ring, TRANSFORMS[kind], { subjects });
  return {
    ...keys,
    database,
    own,
    app,
    store,
    table,
    fence,
    read: (part = 'key') => database.read(table, part, null, 1000),
    work: (kind) => workWith(keys.ring, kind),
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
