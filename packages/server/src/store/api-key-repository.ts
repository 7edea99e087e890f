/** The API keys of the service. */
import { FieldsealError } from 'fieldseal';
import { type Kysely, type Selectable, sql } from 'kysely';
import type { DatabaseClock } from './database-clock.js';
import type { StoreSchema } from './schema.js';
import type { ApiKeyRepository, ApiKeyRow } from './store.js';
import { storedTime } from './stored-time.js';

export function apiKeyRepository(db: Kysely<StoreSchema>, clock: DatabaseClock): ApiKeyRepository {
  const keys = () => db.selectFrom('api_keys').selectAll();
  const revisionOf = async (name: StoreSchema['fieldseal_revisions']['name']) => {
    const row = await db
      .selectFrom('fieldseal_revisions')
      .select('revision')
      .where('name', '=', name)
      .executeTakeFirst();
    return row?.revision ?? 0;
  };
  const raise = async (name: StoreSchema['fieldseal_revisions']['name']) => {
    await db
      .updateTable('fieldseal_revisions')
      .set({ revision: sql<number>`revision + 1` })
      .where('name', '=', name)
      .execute();
  };
  return {
    async insert(row) {
      const inserted = await db
        .insertInto('api_keys')
        .values({
          user_id: row.userId,
          name: row.name,
          prefix: row.prefix,
          key_hash: row.keyHash,
          row_mac: row.rowMac,
          encrypted_key: row.encryptedKey,
          scopes: joinScopes(row.scopes),
          created_at: storedTime(row.createdAt),
          expires_at: row.expiresAt === null ? null : storedTime(row.expiresAt),
          allowed_ips: row.allowedIps?.join(',') ?? null,
          rate_limit: row.rateLimit,
          rate_window_seconds: row.rateWindowSeconds,
          quota: row.quota,
          metadata: row.metadata,
          rerolled_from: row.rerolledFrom,
        })
        // An error would end the caller's transaction on PostgreSQL, and another prefix could not be tried in it.
        .onConflict((conflict) => conflict.column('prefix').doNothing())
        .returningAll()
        .executeTakeFirst();
      if (inserted) {
        await raise('api_keys');
        return toApiKeyRow(inserted);
      }
      throw new FieldsealError('ERR_API_KEY_PREFIX_TAKEN', 'Another API key has this prefix; try again.');
    },

    async get(id) {
      const row = await keys().where('id', '=', id).executeTakeFirst();
      return row ? toApiKeyRow(row) : null;
    },

    async findByPrefix(prefix) {
      const row = await keys().where('prefix', '=', prefix).executeTakeFirst();
      return row ? toApiKeyRow(row) : null;
    },

    async list({ userId, limit, beforeId }) {
      let query = keys().orderBy('id', 'desc').limit(limit);
      if (userId !== null) query = query.where('user_id', '=', userId);
      if (beforeId !== undefined) query = query.where('id', '<', beforeId);
      return (await query.execute()).map(toApiKeyRow);
    },

    async revoke(id, { by, reason }) {
      const revoked = await db
        .updateTable('api_keys')
        .set({
          is_active: sql<boolean>`false`,
          revoked_at: clock.timestamp,
          revoked_by: by,
          revoked_reason: reason,
        })
        .where('id', '=', id)
        .where(sql<boolean>`is_active = true`)
        .returningAll()
        .executeTakeFirst();
      if (!revoked) return null;
      await raise('api_keys');
      return toApiKeyRow(revoked);
    },

    async setHash(id, { keyHash, rowMac }) {
      const hashed = await db
        .updateTable('api_keys')
        .set({ key_hash: keyHash, row_mac: rowMac })
        .where('id', '=', id)
        .where('key_hash', 'is', null)
        .returning('id')
        .executeTakeFirst();
      if (hashed) await raise('api_keys');
      return hashed !== undefined;
    },

    async listUnhashed(limit) {
      const rows = await keys().where('key_hash', 'is', null).orderBy('id').limit(limit).execute();
      return rows.map(toApiKeyRow);
    },

    async revision() {
      return revisionOf('api_keys');
    },

    async hasUnchecked() {
      return (await revisionOf('unchecked_api_keys')) > 0;
    },

    async noteUnchecked() {
      await raise('unchecked_api_keys');
    },
  };
}

/** @throws TypeError for a scope that would come back as another one, or as two */
function joinScopes(scopes: readonly string[]): string {
  if (scopes.some((scope) => scope === '' || scope.includes(',') || scope !== scope.trim())) {
    throw new TypeError('A scope is a text without commas and without white space around it');
  }
  return scopes.join(',');
}

function splitScopes(scopes: string | null): string[] {
  return (scopes ?? '')
    .split(',')
    .map((scope) => scope.trim())
    .filter((scope) => scope !== '');
}

function toApiKeyRow(row: Selectable<StoreSchema['api_keys']>): ApiKeyRow {
  return {
    id: row.id,
    userId: row.user_id,
    name: row.name,
    prefix: row.prefix,
    keyHash: row.key_hash,
    rowMac: row.row_mac,
    encryptedKey: row.encrypted_key,
    scopes: splitScopes(row.scopes),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    isActive: Boolean(row.is_active),
    revokedAt: row.revoked_at,
    revokedBy: row.revoked_by,
    revokedReason: row.revoked_reason,
    disabledAt: row.disabled_at,
    disabledBy: row.disabled_by,
    allowedIps: row.allowed_ips?.split(',') ?? null,
    rateLimit: row.rate_limit,
    rateWindowSeconds: row.rate_window_seconds,
    quota: row.quota,
    metadata: row.metadata,
    rerolledFrom: row.rerolled_from,
  };
}
