/** Opens what a sweep needs: the declared tables, checked against the database, and the store beside them. */
import { type FieldsealConfig, FieldsealError, isFieldsealError, openSubjectKeys, type SubjectKeys } from 'fieldseal';
import { databaseName } from '../store/database-url.js';
import { openSqlite } from '../store/open-sqlite.js';
import { openStore } from '../store/open-store.js';
import type { RunKind, Store } from '../store/store.js';
import { postgresOwnTables, sqliteOwnTables, sweepsOwnTables } from '../sweep/own-tables.js';
import { postgresPreflight } from '../sweep/postgres-preflight.js';
import { PostgresSession, type PostgresSessionOptions } from '../sweep/postgres-session.js';
import { PostgresSweepDatabase } from '../sweep/postgres-sweep-database.js';
import type { Lane } from '../sweep/range-lanes.js';
import { lagNeedsPostgres, ReplicationLag } from '../sweep/replication-lag.js';
import { sqlitePreflight } from '../sweep/sqlite-preflight.js';
import { SqliteSweepDatabase } from '../sweep/sqlite-sweep-database.js';
import type { SweepDatabase } from '../sweep/sweep-database.js';
import { type AbsentSubjects, sweptSubjects } from '../sweep/swept-subjects.js';
import type { PostgresSweptTable, Preflight, SweptTable } from '../sweep/swept-table.js';
import type { Dependencies } from './dependencies.js';
import { withReadOnlyStore } from './list-runs.js';
import { givenRootFile, storeSubjects } from './store-subjects.js';

/** Closed by whoever opened it. */
export interface OpenTables {
  /** Null: there is none, and only the service's own columns are swept. */
  readonly config: FieldsealConfig | null;
  readonly tables: readonly SweptTable[];
  /** At least one. */
  readonly lanes: readonly Lane[];
  /** Null: no bound was asked for. */
  readonly lag: ReplicationLag | null;
  readonly store: Store;
  close(): Promise<void>;
}

export interface OpenTablesOptions {
  readonly kind: RunKind;
  readonly readOnly: boolean;
  /** Nothing is written: a subject without a key gets one that is never stored. */
  readonly dryRun: boolean;
  readonly allowTriggers: boolean;
  /** How many ranges are walked at the same time, where the database has ranges; 1 unless told. */
  readonly lanes?: number;
  /** How many seconds a standby may be behind; null unless told. PostgreSQL only. */
  readonly maxReplicationLagSeconds?: number | null;
  /**
   * Refuses what must not go on, such as a keyring that does not open. `reading` is a store that can only be read, and
   * has no tables yet if this is the first command; `config` is null where there is none.
   */
  check(config: FieldsealConfig | null, reading: Store): Promise<unknown>;
}

/** A connection for sweeping, before it is known what is swept. */
interface Connection<Table extends SweptTable> {
  preflight(config: FieldsealConfig, options: OpenTablesOptions): Promise<Preflight<Table>>;
  ownTables(): Promise<Table[]>;
  /** @throws FieldsealError `ERR_USAGE` where standbys cannot be seen */
  boundLag(maxSeconds: number): Promise<ReplicationLag>;
  /** Connects for as many lanes as that, as far as the database has room. */
  sweep(tables: readonly Table[], lanes: number): Promise<readonly SweepDatabase[]>;
  close(): Promise<void>;
}

function connectSqlite(file: string, readOnly: boolean): Connection<SweptTable> {
  const db = openSqlite(file, { mustExist: true, readOnly });
  const database = new SqliteSweepDatabase(db);
  return {
    preflight: async ({ model }, { kind, allowTriggers }) =>
      database.guarded(() => sqlitePreflight(db, model, { kind, allowTriggers })),
    ownTables: async () => database.guarded(() => sqliteOwnTables(db)),
    async boundLag() {
      throw lagNeedsPostgres();
    },
    // One writes at a time.
    sweep: async () => [database],
    close: async () => database.close(),
  };
}

/** Two sessions: one reads, so that the next rows come while the other writes a batch. */
async function openSessions(
  options: PostgresSessionOptions,
): Promise<{ session: PostgresSession; reader: PostgresSession }> {
  const session = await PostgresSession.open(options);
  try {
    const reader = await PostgresSession.open({ ...options, readOnly: true, needsPrimary: !options.readOnly });
    return { session, reader };
  } catch (error) {
    await session.close();
    throw error;
  }
}

async function connectPostgres(
  { target, schema, notify }: Dependencies,
  connectionString: string,
  readOnly: boolean,
): Promise<Connection<PostgresSweptTable>> {
  const options = { connectionString, name: databaseName(target), readOnly };
  const first = await openSessions(options);
  const opened = [first];
  return {
    preflight: ({ model }, { kind, allowTriggers }) =>
      postgresPreflight(first.session, model, { kind, allowTriggers, serviceSchema: schema }),
    ownTables: () => postgresOwnTables((...args) => first.session.query(...args), schema),
    boundLag: (maxSeconds) => ReplicationLag.open((...args) => first.reader.query(...args), maxSeconds),
    async sweep(tables, lanes) {
      try {
        while (opened.length < lanes) opened.push(await openSessions(options));
      } catch (error) {
        // A server may have no room for more connections; with fewer it only takes longer.
        if (!isFieldsealError(error)) throw error;
        notify({ type: 'warning', text: `only ${opened.length} of ${lanes} ranges at a time: ${error.message}` });
      }
      return opened.map(({ session, reader }) => new PostgresSweepDatabase(session, schema, tables, reader));
    },
    async close() {
      for (const { session, reader } of opened) {
        await reader.close();
        await session.close();
      }
    },
  };
}

function configNotFound(): FieldsealError {
  return new FieldsealError(
    'ERR_CONFIG_NOT_FOUND',
    'There is no fieldseal.config.ts (or .js) in the current folder; `fieldseal scan` prints one to start from.',
  );
}

/** Only encrypting makes new values, and with them the keys of subjects that have none. */
function absentSubjects({ kind, dryRun }: OpenTablesOptions): AbsentSubjects {
  if (kind !== 'encrypt') return 'refuse';
  return dryRun ? 'pretend' : 'create';
}

/** @throws FieldsealError `ERR_SUBJECT_ROOT` when a declared column needs subjects' keys and they cannot be opened */
async function openSubjects(
  deps: Dependencies,
  tables: readonly SweptTable[],
  store: Store,
): Promise<SubjectKeys | null> {
  if (!tables.some(({ fields }) => fields.some((field) => field.needsSubject))) return null;
  return openSubjectKeys(storeSubjects(store, givenRootFile(deps)));
}

async function open<Table extends SweptTable>(
  deps: Dependencies,
  connection: Connection<Table>,
  config: FieldsealConfig | null,
  options: OpenTablesOptions,
): Promise<OpenTables> {
  const { target, schema, notify } = deps;
  const { kind, readOnly, maxReplicationLagSeconds: maxLag = null } = options;
  const lag = maxLag === null ? null : await connection.boundLag(maxLag);
  let declared: readonly Table[] = [];
  if (config === null) {
    // Without a declaration and without columns of the service's own there would be nothing to do.
    if ((await connection.ownTables()).length === 0) throw configNotFound();
    notify({ type: 'warning', text: 'there is no fieldseal.config: only the columns of Fieldseal itself are swept' });
  } else {
    const { tables, triggers } = await connection.preflight(config, options);
    for (const trigger of triggers)
      notify({ type: 'warning', text: `allowed to run on every update: the trigger ${trigger}` });
    declared = tables;
  }
  await withReadOnlyStore(deps, (reading) => options.check(config, reading));
  const store = await openStore(target, { schema, mustExist: true, readOnly });
  try {
    const own = sweepsOwnTables(kind) ? await connection.ownTables() : [];
    const tables = [...declared, ...own];
    const databases = await connection.sweep(tables, options.lanes ?? 1);
    const keys = await openSubjects(deps, tables, store);
    return {
      config,
      tables,
      lanes: databases.map((database) => ({
        database,
        subjects: keys && sweptSubjects(keys, absentSubjects(options)),
      })),
      lag,
      store,
      async close() {
        await keys?.close();
        await connection.close();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * The declaration is checked, and then `check` asked of a store that can only be read, before any table is made: what
 * is refused leaves no trace in the database. Rotating and verifying include the service's own encrypted columns, and can do without a declaration.
 * @throws FieldsealError of the configuration, the preflight and the store
 */
export async function openTables(deps: Dependencies, options: OpenTablesOptions): Promise<OpenTables> {
  const { target } = deps;
  const config = await deps.loadConfig();
  if (config === null && !sweepsOwnTables(options.kind)) throw configNotFound();
  const openWith = async <Table extends SweptTable>(connection: Connection<Table>): Promise<OpenTables> => {
    try {
      return await open(deps, connection, config, options);
    } catch (error) {
      await connection.close();
      throw error;
    }
  };
  return target.dialect === 'sqlite'
    ? openWith(connectSqlite(target.file, options.readOnly))
    : openWith(await connectPostgres(deps, target.connectionString, options.readOnly));
}

/** The tables that a verify of now would go over, for commands that ask what it found. @throws as `openTables` */
export function openVerifiedTables(deps: Dependencies): Promise<OpenTables> {
  const check = async () => {};
  return openTables(deps, { kind: 'verify', readOnly: false, dryRun: false, allowTriggers: true, check });
}
