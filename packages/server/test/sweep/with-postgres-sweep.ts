/** A PostgreSQL database with one swept table `t`, a run under way in it, and a sweep's session: what a driver has. */
import { parseDatabaseUrl } from '../../src/store/database-url.js';
import { openStore } from '../../src/store/open-store.js';
import type { RunKind, Store } from '../../src/store/store.js';
import { postgresPreflight } from '../../src/sweep/postgres-preflight.js';
import { PostgresSession } from '../../src/sweep/postgres-session.js';
import { PostgresSweepDatabase } from '../../src/sweep/postgres-sweep-database.js';
import { rowWork } from '../../src/sweep/row-work.js';
import type { BatchWork, Checkpoint, SweptRow } from '../../src/sweep/sweep-database.js';
import type { PostgresSweptTable } from '../../src/sweep/swept-table.js';
import type { Tally } from '../../src/sweep/tally.js';
import { TRANSFORMS } from '../../src/sweep/transform.js';
import { type PostgresDatabase, withPostgresDatabase } from '../with-postgres-database.ts';
import { BEGIN_AGAIN, beginRun, modelOf, type RunUnderWay, type SweepSetup } from './run-under-way.js';

const SERVICE_SCHEMA = 'fieldseal';

export interface PostgresSweep extends RunUnderWay, PostgresDatabase {
  readonly database: PostgresSweepDatabase;
  readonly store: Store;
  readonly table: PostgresSweptTable;
  read(): Promise<SweptRow[]>;
  /** Commits a batch with a checkpoint, and returns the tally. */
  commit(rows: readonly SweptRow[], work: BatchWork, checkpoint?: Partial<Checkpoint>): Promise<Tally>;
  /** What a kind of run does to each row. */
  work(kind: RunKind): BatchWork;
}

export interface PostgresSweepSetup extends SweepSetup {
  /** The URL that the sweep's own session connects to, in the place of the database's. */
  readonly through?: (url: string) => string;
  /** Another server than the one that all tests share. */
  readonly serverUrl?: string;
}

export function withPostgresSweep<T>(setup: PostgresSweepSetup, use: (sweep: PostgresSweep) => Promise<T>): Promise<T> {
  const { sql, kind = 'encrypt', subjects = null, through = (url) => url, serverUrl } = setup;
  return withPostgresDatabase(
    sql,
    async (under) => {
      const session = await PostgresSession.open({
        connectionString: through(under.url),
        name: 'The database',
        readOnly: false,
      });
      const store = await openStore(parseDatabaseUrl(under.url), { schema: SERVICE_SCHEMA });
      try {
        const options = { kind, allowTriggers: true, serviceSchema: SERVICE_SCHEMA };
        const { tables } = await postgresPreflight(session, modelOf(setup), options);
        const table = tables[0] as PostgresSweptTable;
        const { run, checkpoint } = await beginRun(store, table);
        const database = new PostgresSweepDatabase(session, SERVICE_SCHEMA, tables);
        const canStore = (text: string) => database.canStore(text);
        let from: string | null = null;
        return await use({
          ...under,
          ...run,
          database,
          store,
          table,
          read: () => database.read(table, 'key', null, null, 1000),
          work: (of) => rowWork(table, run.ring, TRANSFORMS[of], { canStore, subjects }),
          async commit(rows, work, changed = {}) {
            // Over a connection of its own: a test may have had the server crash under the others.
            const client = await under.connect();
            await client.query(BEGIN_AGAIN.replace('sweep_ranges', `${SERVICE_SCHEMA}.sweep_ranges`));
            await client.end();
            const whole = checkpoint({ from, ...changed });
            const tally = await database.commit(table, 'key', rows, work, whole);
            from = whole.done ? null : whole.cursor;
            return tally;
          },
        });
      } finally {
        await store.close();
        await session.close();
      }
    },
    serverUrl,
  );
}
