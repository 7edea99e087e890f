/** The stored keyring and the processes that read it. */
import { FieldsealError, type StoredKey, type StoredKeyring } from 'fieldseal';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { DatabaseClock } from './database-clock.js';
import { inTransaction } from './in-transaction.js';
import type { StoreSchema } from './schema.js';
import type { KeyringRepository } from './store.js';

export function keyringRepository(db: Kysely<StoreSchema>, clock: DatabaseClock): KeyringRepository {
  return {
    async load() {
      // One statement, so that the ring and its keys are of one moment.
      const rows = await db
        .selectFrom('keyring_state as s')
        .leftJoin('encryption_keys as k', (join) => join.onTrue())
        .select([
          's.keyring_id',
          's.generation',
          's.macs',
          'k.purpose',
          'k.version',
          'k.key_id',
          'k.state',
          'k.created_at',
          'k.wraps',
        ])
        .orderBy('k.purpose')
        .orderBy(sql`length(k.version)`)
        .orderBy('k.version')
        .execute();
      const ring = rows[0];
      if (!ring) return null;
      return {
        id: ring.keyring_id,
        generation: ring.generation,
        keys: rows.flatMap(({ purpose, version, key_id, state, created_at, wraps }): StoredKey[] => {
          if (
            purpose === null ||
            version === null ||
            key_id === null ||
            state === null ||
            created_at === null ||
            wraps === null
          )
            return [];
          return [{ purpose, version, id: key_id, state, createdAt: created_at, wraps: parseTexts(wraps) }];
        }),
        macs: parseTexts(ring.macs),
      };
    },

    save(ring, expectedGeneration) {
      return inTransaction(db, async (tx) => {
        await swapState(tx, ring, expectedGeneration);
        for (const key of ring.keys) await saveKey(tx, key);
        const stored = await tx
          .selectFrom('encryption_keys')
          .select(({ fn }) => fn.countAll<number>().as('keys'))
          .executeTakeFirstOrThrow();
        if (stored.keys !== ring.keys.length)
          throw invalid('it lacks a key that is stored, and stored keys are never deleted');
      });
    },

    async readers() {
      const rows = await db
        .selectFrom('keyring_readers')
        .select(['process', 'generation', sql<number>`${clock.unixSeconds} - seen_at`.as('seconds_ago')])
        .orderBy('process')
        .execute();
      return rows.map((row) => ({
        process: row.process,
        generation: row.generation,
        secondsAgo: Math.max(0, row.seconds_ago),
      }));
    },

    async forgetReaders(seconds) {
      await db
        .deleteFrom('keyring_readers')
        .where(sql<boolean>`seen_at <= ${clock.unixSeconds} - ${Math.ceil(seconds)}`)
        .execute();
    },
  };
}

/** The compare-and-swap: one statement that changes the state row only if it is still as expected. */
async function swapState(
  tx: Kysely<StoreSchema>,
  ring: StoredKeyring,
  expectedGeneration: number | null,
): Promise<void> {
  const state = { keyring_id: ring.id, generation: ring.generation, macs: JSON.stringify(ring.macs) };
  const swapped =
    expectedGeneration === null
      ? await tx
          .insertInto('keyring_state')
          .values({ singleton: 1, ...state })
          .onConflict((conflict) => conflict.column('singleton').doNothing())
          .returning('generation')
          .executeTakeFirst()
      : await tx
          .updateTable('keyring_state')
          .set(state)
          .where('keyring_id', '=', ring.id)
          .where('generation', '=', expectedGeneration)
          .returning('generation')
          .executeTakeFirst();
  if (swapped) return;
  throw new FieldsealError(
    'ERR_KEYRING_CONFLICT',
    'Another process changed the keyring at the same time; run the same command again.',
  );
}

async function saveKey(tx: Kysely<StoreSchema>, key: StoredKey): Promise<void> {
  const saved = await tx
    .insertInto('encryption_keys')
    .values({
      purpose: key.purpose,
      version: key.version,
      key_id: key.id,
      state: key.state,
      created_at: key.createdAt,
      wraps: JSON.stringify(key.wraps),
    })
    .onConflict((conflict) =>
      conflict
        .columns(['purpose', 'version'])
        .doUpdateSet((row) => ({ state: row.ref('excluded.state'), wraps: row.ref('excluded.wraps') }))
        .whereRef('encryption_keys.key_id', '=', 'excluded.key_id')
        .whereRef('encryption_keys.created_at', '=', 'excluded.created_at'),
    )
    .returning('version')
    .executeTakeFirst();
  if (!saved) throw invalid(`the id or the time of creation of its key ${key.version} differs from the stored one`);
}

/** A JSON object whose values are texts. The message keeps quiet about what stands there instead. */
function parseTexts(json: string): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    value = null;
  }
  if (typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string')) {
    return value as Record<string, string>;
  }
  throw new FieldsealError(
    'ERR_KEYRING_TAMPERED',
    'The stored keyring is not well formed; restore its tables from a backup.',
  );
}

function invalid(reason: string): FieldsealError {
  return new FieldsealError('ERR_KEYRING_INVALID', `The keyring is not well formed: ${reason}.`);
}
