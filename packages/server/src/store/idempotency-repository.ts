/** The requests that carried an `Idempotency-Key`. The primary key decides which of two came first. */
import { type Kysely, sql } from 'kysely';
import type { IdempotencyRepository } from './idempotency.js';
import type { StoreSchema } from './schema.js';
import type { Dialect } from './store.js';

/** How many forgotten ones a request clears away: more than the one that it adds, and few enough to cost nothing. */
const PURGED = 100;

/** A day ago by the database's clock, as the time columns hold it. */
const A_DAY_AGO = {
  sqlite: sql<string>`strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-24 hours')`,
  postgres: sql<string>`clock_timestamp() - interval '24 hours'`,
} as const;

export function idempotencyRepository(db: Kysely<StoreSchema>, dialect: Dialect): IdempotencyRepository {
  const before = A_DAY_AGO[dialect];

  async function purge(): Promise<void> {
    let query = db
      .selectFrom('fieldseal_idempotency_keys')
      .select(['subject', 'idempotency_key'])
      .where('created_at', '<', before)
      .orderBy('created_at')
      .limit(PURGED);
    // Two purges pass each other by; neither waits.
    if (dialect === 'postgres') query = query.forUpdate().skipLocked();
    const old = await query.execute();
    if (old.length === 0) return;
    await db
      .deleteFrom('fieldseal_idempotency_keys')
      .where((row) => row.or(old.map((key) => row.and(key))))
      .execute();
  }

  return {
    async claim({ subject, key }, requestHash) {
      const claimed = await db
        .insertInto('fieldseal_idempotency_keys')
        .values({ subject, idempotency_key: key, request_hash: requestHash })
        // One that is a day old, and that the purge left, counts as forgotten.
        .onConflict((conflict) =>
          conflict
            .columns(['subject', 'idempotency_key'])
            .doUpdateSet((row) => ({
              request_hash: row.ref('excluded.request_hash'),
              resource_id: null,
              created_at: row.ref('excluded.created_at'),
            }))
            .where('fieldseal_idempotency_keys.created_at', '<', before),
        )
        .returning('subject')
        .executeTakeFirst();
      if (claimed) {
        // Behind the claim, since it skips what others hold: who waits for another's claim has nothing that others wait for.
        await purge();
        return null;
      }
      const { request_hash, resource_id } = await db
        .selectFrom('fieldseal_idempotency_keys')
        .select(['request_hash', 'resource_id'])
        .where('subject', '=', subject)
        .where('idempotency_key', '=', key)
        .executeTakeFirstOrThrow();
      return { requestHash: request_hash, resourceId: resource_id };
    },

    async settle({ subject, key }, resourceId) {
      await db
        .updateTable('fieldseal_idempotency_keys')
        .set({ resource_id: resourceId })
        .where('subject', '=', subject)
        .where('idempotency_key', '=', key)
        .execute();
    },
  };
}
