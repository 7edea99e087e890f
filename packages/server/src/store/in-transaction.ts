/** Gives several statements one transaction, whether or not one is open already. */
import type { Kysely, Transaction } from 'kysely';
import type { StoreSchema } from './schema.js';

/** Runs `work` in the transaction that `db` is, or in a new one. */
export function inTransaction<T>(
  db: Kysely<StoreSchema>,
  work: (tx: Kysely<StoreSchema> | Transaction<StoreSchema>) => Promise<T>,
): Promise<T> {
  return db.isTransaction ? work(db) : db.transaction().execute(work);
}
