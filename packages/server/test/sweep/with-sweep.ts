/** A SQLite file with one swept table `t`, a run under way in it, and a sweep's connection: what a driver has. */
import Database from 'better-sqlite3';
import { openSqlite } from '../../src/store/open-sqlite.js';
import { openStore } from '../../src/store/open-store.js';
import type { RunKind, Store } from '../../src/store/store.js';
import { rowWork } from '../../src/sweep/row-work.js';
import { sqlitePreflight } from '../../src/sweep/sqlite-preflight.js';
import { SqliteSweepDatabase } from '../../src/sweep/sqlite-sweep-database.js';
import type { BatchWork, Checkpoint, RangePart, SweptRow } from '../../src/sweep/sweep-database.js';
import type { SweptTable } from '../../src/sweep/swept-table.js';
import type { Tally } from '../../src/sweep/tally.js';
import { TRANSFORMS } from '../../src/sweep/transform.js';
import { withSqliteFile } from '../store/sqlite-file.js';
import { BEGIN_AGAIN, beginRun, modelOf, type RunUnderWay, type SweepSetup } from './run-under-way.js';

export interface Sweep extends RunUnderWay {
  readonly database: SqliteSweepDatabase;
  /** The sweep's own connection. */
  readonly own: Database.Database;
  /** The connection of an application. */
  readonly app: Database.Database;
  readonly store: Store;
  readonly table: SweptTable;
  read(part?: RangePart): SweptRow[];
  /** Commits a batch with a checkpoint, and returns the tally. */
  commit(rows: readonly SweptRow[], work: BatchWork, checkpoint?: Partial<Checkpoint>): Tally;
  /** What a kind of run does to each row. */
  work(kind: RunKind): BatchWork;
}

export async function withSweep<T>(setup: SweepSetup, use: (sweep: Sweep) => Promise<T>): Promise<T> {
  const { sql, kind = 'encrypt', subjects = null } = setup;
  return withSqliteFile(async (file) => {
    const app = new Database(file).exec(sql);
    const own = openSqlite(file);
    const store = await openStore({ dialect: 'sqlite', file });
    try {
      const { tables } = sqlitePreflight(own, modelOf(setup), { kind, allowTriggers: false });
      const table = tables[0] as SweptTable;
      const { run, checkpoint } = await beginRun(store, table);
      const database = new SqliteSweepDatabase(own);
      let from: string | null = null;
      return await use({
        ...run,
        database,
        own,
        app,
        store,
        table,
        read: (part = 'key') => database.read(table, part, null, null, 1000),
        work: (of) => rowWork(table, run.ring, TRANSFORMS[of], { subjects }),
        commit(rows, work, changed = {}) {
          app.exec(BEGIN_AGAIN);
          const whole = checkpoint({ from, ...changed });
          const tally = database.commit(table, 'key', rows, work, whole);
          from = whole.done ? null : whole.cursor;
          return tally;
        },
      });
    } finally {
      await store.close();
      own.close();
      app.close();
    }
  });
}
