/** Waits until every write transaction that was open at the start has ended (SWEEPS.md §1). */
import { FieldsealError, isFieldsealError } from 'fieldseal';
import { type Kysely, sql } from 'kysely';
import type { StoreSchema } from './schema.js';
import type { Dialect } from './store.js';

const TIMEOUT_MS = 60_000;
const POLL_MS = 50;

/** @throws FieldsealError `ERR_DATABASE_BUSY` when a transaction stays open for 60 seconds. */
export async function writerBarrier(db: Kysely<StoreSchema>, dialect: Dialect): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  const passed = dialect === 'sqlite' ? sqliteBarrier(db) : await postgresBarrier(db);
  while (!(await passed())) {
    if (performance.now() > deadline) {
      throw new FieldsealError(
        'ERR_DATABASE_BUSY',
        'A transaction in the database has been open for more than 60 seconds; end it, then run the same command again.',
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** SQLite has one writer at a time: whoever gets the write lock knows that the others are done. */
function sqliteBarrier(db: Kysely<StoreSchema>): () => Promise<boolean> {
  return async () => {
    try {
      await db.transaction().execute(async () => undefined);
      return true;
    } catch (error) {
      if (isFieldsealError(error) && error.code === 'ERR_DATABASE_BUSY') return false;
      throw error;
    }
  };
}

/** PostgreSQL: all transactions older than a fresh id of our own have ended once the oldest running one is newer. */
async function postgresBarrier(db: Kysely<StoreSchema>): Promise<() => Promise<boolean>> {
  const fresh = await sql<{ id: string }>`select pg_current_xact_id()::text as id`.execute(db);
  const id = fresh.rows[0]?.id;
  return async () => {
    const { rows } = await sql<{
      passed: boolean;
    }>`select pg_snapshot_xmin(pg_current_snapshot()) > ${id}::xid8 as passed`.execute(db);
    return rows[0]?.passed === true;
  };
}
