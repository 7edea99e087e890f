/** Opens the store: connects, brings the tables up to date and puts the repositories together. */
import { type Dialect, Kysely, sql } from 'kysely';
import { apiKeyRepository } from './api-key-repository.js';
import { apiKeyUsageRepository } from './api-key-usage-repository.js';
import { auditRepository } from './audit-repository.js';
import { auditTreeRepository } from './audit-tree-repository.js';
import { DATABASE_CLOCKS } from './database-clock.js';
import { type DatabaseTarget, databaseName, type WrittenAs } from './database-url.js';
import { figureRepository } from './figure-repository.js';
import { idempotencyRepository } from './idempotency-repository.js';
import { keyringRepository } from './keyring-repository.js';
import { migrate } from './migrate.js';
import { openSqlite } from './open-sqlite.js';
import { rangeRepository } from './range-repository.js';
import { runRepository } from './run-repository.js';
import { scheduleRepository } from './schedule-repository.js';
import type { StoreSchema } from './schema.js';
import { sqliteDialect } from './sqlite-dialect.js';
import { sqliteWorkerDialect } from './sqlite-worker-dialect.js';
import type { Store, StoreTransaction } from './store.js';
import type { StorePlace } from './store-place.js';
import { subjectKeyRepository } from './subject-key-repository.js';
import { withDatabaseErrors } from './with-database-errors.js';
import { writerBarrier } from './writer-barrier.js';

export interface OpenStoreOptions {
  /** PostgreSQL: the schema of our tables; `fieldseal` unless told. */
  readonly schema?: string;
  /** SQLite: refuse a file that doesn't exist instead of creating it. */
  readonly mustExist?: boolean;
  /** Nothing can be written, and no migration runs. */
  readonly readOnly?: boolean;
  /** false: no migration runs. Without its tables, or before they are taken over, a store reads as an empty one. */
  readonly migrate?: boolean;
  /** SQLite: statements run in a thread of their own, so that neither disk nor lock stops the event loop. */
  readonly offEventLoop?: boolean;
}

/**
 * @throws FieldsealError of `databaseError`, and `ERR_STORE_FOREIGN_TABLE` or `ERR_STORE_NEWER` for tables that it must
 * not touch.
 * @example
 * const store = await openStore(parseDatabaseUrl('sqlite:fieldseal.db'));
 */
export async function openStore(target: DatabaseTarget, options: OpenStoreOptions = {}): Promise<Store> {
  const migrates = options.migrate !== false && options.readOnly !== true;
  const place: StorePlace =
    target.dialect === 'sqlite'
      ? { dialect: 'sqlite' }
      : { dialect: 'postgres', schema: options.schema ?? 'fieldseal' };
  const by = target.writtenAs ?? null;
  const emptyTables = new Set<string>();
  const connected = new Kysely<StoreSchema>({
    dialect: withDatabaseErrors(await connect(target, options), {
      name: databaseName(target),
      absentTablesAreEmpty: !migrates,
      emptyTables,
    }),
  });
  const db = place.dialect === 'sqlite' ? connected : connected.withSchema(place.schema);
  try {
    for (const table of await migrate(db, place, migrates)) emptyTables.add(table);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return {
    dialect: place.dialect,
    ...repositories(db, place, by),
    transaction: (work) => db.transaction().execute((tx) => work(repositories(tx, place, by))),
    exclusiveTransaction: (work) =>
      db.transaction().execute(async (tx) => {
        // On SQLite every transaction is one: it begins with the write lock.
        if (place.dialect === 'postgres') {
          await sql`select pg_advisory_xact_lock(hashtextextended(${`fieldseal ${place.schema}`}, 0))`.execute(tx);
        }
        return work(repositories(tx, place, by));
      }),
    writerBarrier: () => writerBarrier(db, place.dialect),
    async truncateLog() {
      if (place.dialect === 'postgres') return true;
      const { rows } = await sql<{ busy: number }>`pragma wal_checkpoint(truncate)`.execute(db);
      return rows[0]?.busy === 0;
    },
    close: () => db.destroy(),
  };
}

async function connect(
  target: DatabaseTarget,
  { readOnly = false, mustExist = false, offEventLoop }: OpenStoreOptions,
): Promise<Dialect> {
  if (target.dialect === 'postgres') {
    // Whoever uses SQLite does not wait for pg.
    const { postgresDialect } = await import('./postgres-dialect.js');
    return postgresDialect(target.connectionString, readOnly, target.pool);
  }
  if (offEventLoop === true) return sqliteWorkerDialect(target.file, { readOnly, mustExist });
  return sqliteDialect(openSqlite(target.file, { readOnly, mustExist, busyTimeoutMs: 0 }));
}

function repositories(db: Kysely<StoreSchema>, place: StorePlace, by: WrittenAs | null): StoreTransaction {
  const clock = DATABASE_CLOCKS[place.dialect];
  return {
    keyring: keyringRepository(db, clock),
    runs: runRepository(db, clock),
    ranges: rangeRepository(db, place.dialect, clock),
    schedules: scheduleRepository(db, clock),
    audit: auditRepository(db, place, clock, by),
    apiKeys: apiKeyRepository(db, place.dialect, clock),
    idempotency: idempotencyRepository(db, place.dialect),
    apiKeyUsage: apiKeyUsageRepository(db, place, clock),
    auditTree: auditTreeRepository(db, place),
    subjects: subjectKeyRepository(db, place, clock),
    figures: figureRepository(db, place.dialect, clock),
  };
}
