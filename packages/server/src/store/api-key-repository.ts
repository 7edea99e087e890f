/** The API keys of the service. */
import { FieldsealError } from 'fieldseal';
import {
  type CompiledQuery,
  type Expression,
  type ExpressionBuilder,
  type Kysely,
  type Selectable,
  type SqlBool,
  sql,
  type UpdateObject,
} from 'kysely';
import type { DatabaseClock } from './database-clock.js';
import { inTransaction } from './in-transaction.js';
import type { StoreSchema } from './schema.js';
import type { ApiKeyFilter, ApiKeyRepository, ApiKeyRow, CheckedApiKeyRow, Dialect } from './store.js';
import { storedTime } from './stored-time.js';

type Db = Kysely<StoreSchema>;
type KeyColumns = ExpressionBuilder<StoreSchema, 'api_keys'>;

export function apiKeyRepository(db: Db, dialect: Dialect, clock: DatabaseClock): ApiKeyRepository {
  const keys = (on: Db = db) => on.selectFrom('api_keys').selectAll();
  // On SQLite a transaction holds the lock of the whole file from its beginning.
  const locked = () => (dialect === 'postgres' ? keys().forUpdate() : keys());

  /** Changes the row, if it is as `guard` says, and raises the revision; both or neither. */
  function change(
    id: number,
    set: UpdateObject<StoreSchema, 'api_keys'>,
    ...guard: readonly ((row: KeyColumns) => Expression<SqlBool>)[]
  ): Promise<ApiKeyRow | null> {
    return inTransaction(db, async (tx) => {
      const changed = await tx
        .updateTable('api_keys')
        .set(set)
        .where('id', '=', id)
        .where((row) => row.and(guard.map((condition) => condition(row))))
        .returningAll()
        .executeTakeFirst();
      if (!changed) return null;
      await raise(tx);
      return toApiKeyRow(changed);
    });
  }

  /** Asked most often of all: built once. */
  let byPrefixes: CompiledQuery<CheckedColumns> | null = null;

  const revisionOf = async (name: Revision) => {
    const query = db.selectFrom('fieldseal_revisions').select('revision').where('name', '=', name);
    return (await query.executeTakeFirst())?.revision ?? 0;
  };

  return {
    // Raises nothing: what nobody has a row of, nobody remembers.
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
      if (!inserted) {
        throw new FieldsealError('ERR_API_KEY_PREFIX_TAKEN', 'Another API key has this prefix; try again.');
      }
      return toApiKeyRow(inserted);
    },

    async get(id) {
      const row = await keys().where('id', '=', id).executeTakeFirst();
      return row ? toApiKeyRow(row) : null;
    },

    async lock(id) {
      const row = await locked().where('id', '=', id).executeTakeFirst();
      return row ? toApiKeyRow(row) : null;
    },

    async findByPrefixes(prefixes) {
      byPrefixes ??= prefixesQuery(db, dialect).compile();
      const parameters = [dialect === 'postgres' ? prefixes : JSON.stringify(prefixes)];
      const { rows } = await db.executeQuery<CheckedColumns>({ ...byPrefixes, parameters });
      return rows.map(toCheckedRow);
    },

    async findSuccessor(id) {
      const row = await keys().where('rerolled_from', '=', id).executeTakeFirst();
      return row ? toApiKeyRow(row) : null;
    },

    async list({ userId, limit, beforeId, ...filter }) {
      let query = keys().where(matches(filter, clock)).orderBy('id', 'desc').limit(limit);
      if (userId !== null) query = query.where('user_id', '=', userId);
      if (beforeId !== undefined) query = query.where('id', '<', beforeId);
      return (await query.execute()).map(toApiKeyRow);
    },

    revoke: (id, { by, reason }) =>
      change(
        id,
        { is_active: sql<boolean>`false`, revoked_at: clock.timestamp, revoked_by: by, revoked_reason: reason },
        () => sql<boolean>`is_active = true`,
      ),

    disable: (id, by) =>
      change(id, { disabled_at: clock.timestamp, disabled_by: by }, isUnrevoked, (row) =>
        row('disabled_at', 'is', null),
      ),

    enable: (id) =>
      change(id, { disabled_at: null, disabled_by: null }, isUnrevoked, (row) => row('disabled_at', 'is not', null)),

    update: (id, expectedMac, { name, rowMac, allowedIps, rateLimit, rateWindowSeconds, quota, metadata }) =>
      change(
        id,
        {
          name,
          row_mac: rowMac,
          allowed_ips: allowedIps?.join(',') ?? null,
          rate_limit: rateLimit,
          rate_window_seconds: rateWindowSeconds,
          quota,
          metadata,
        },
        isUnrevoked,
        (row) => row('row_mac', '=', expectedMac),
      ),

    setExpiry: (id, expectedMac, { expiresAt, rowMac }) =>
      change(id, { expires_at: storedTime(expiresAt), row_mac: rowMac }, isUnrevoked, (row) =>
        row('row_mac', '=', expectedMac),
      ),

    async moveQuota(fromId, toId, quota) {
      // Whoever counts a use of the old key at this moment comes before, or finds it used up.
      const { quota_used: used } = await db
        .insertInto('api_key_usage')
        .values({ key_id: fromId })
        .onConflict((conflict) =>
          conflict.column('key_id').doUpdateSet((row) => ({ quota_used: row.ref('api_key_usage.quota_used') })),
        )
        .returning('quota_used')
        .executeTakeFirstOrThrow();
      await db
        .updateTable('api_key_usage')
        .set({ quota_used: Math.max(used, quota) })
        .where('key_id', '=', fromId)
        .execute();
      await db.insertInto('api_key_usage').values({ key_id: toId, quota_used: used }).execute();
    },

    async setHash(id, { keyHash, rowMac }) {
      const hashed = await change(id, { key_hash: keyHash, row_mac: rowMac }, (row) => row('key_hash', 'is', null));
      return hashed !== null;
    },

    async listUnhashed(limit, lock) {
      const query = lock ? locked() : keys();
      return (await query.where('key_hash', 'is', null).orderBy('id').limit(limit).execute()).map(toApiKeyRow);
    },

    async revision() {
      return revisionOf('api_keys');
    },

    async hasUnchecked() {
      return (await revisionOf('unchecked_api_keys')) > 0;
    },

    noteUnchecked: () => raise(db, 'unchecked_api_keys'),
  };
}

type Revision = StoreSchema['fieldseal_revisions']['name'];

/** Of `api_keys`: tells other processes that what they remember of keys may be old. */
async function raise(tx: Db, name: Revision = 'api_keys'): Promise<void> {
  await tx
    .insertInto('fieldseal_revisions')
    .values({ name, revision: 1 })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet(({ eb, ref }) => ({ revision: eb(ref('fieldseal_revisions.revision'), '+', 1) })),
    )
    .execute();
}

const isUnrevoked = (row: KeyColumns) => row.and([row('revoked_at', 'is', null), sql<boolean>`is_active = true`]);

/** The condition of a filter; an empty one lets every row through. */
function matches({ state, prefix, expiresBefore, expiresAfter }: ApiKeyFilter, clock: DatabaseClock) {
  return (row: KeyColumns) => {
    const isDisabled = row('disabled_at', 'is not', null);
    const isExpired = row.and([row('expires_at', 'is not', null), row('expires_at', '<=', clock.timestamp)]);
    const inState = {
      revoked: () => row.not(isUnrevoked(row)),
      disabled: () => row.and([isUnrevoked(row), isDisabled]),
      expired: () => row.and([isUnrevoked(row), row.not(isDisabled), isExpired]),
      active: () => row.and([isUnrevoked(row), row.not(isDisabled), row.not(isExpired)]),
    };
    return row.and([
      ...(state === undefined ? [] : [inState[state]()]),
      ...(prefix === undefined ? [] : [row('prefix', '=', prefix)]),
      ...(expiresBefore === undefined ? [] : [row('expires_at', '<', storedTime(expiresBefore))]),
      ...(expiresAfter === undefined
        ? []
        : [row.or([row('expires_at', 'is', null), row('expires_at', '>=', storedTime(expiresAfter))])]),
    ]);
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

const CHECKED_COLUMNS = [
  ...(['id', 'user_id', 'prefix', 'key_hash', 'row_mac', 'scopes', 'expires_at'] as const),
  ...(['is_active', 'revoked_at', 'disabled_at'] as const),
  ...(['allowed_ips', 'rate_limit', 'rate_window_seconds', 'quota', 'metadata'] as const),
];

/** Its one parameter: the prefixes as an array, on SQLite as JSON text. */
function prefixesQuery(db: Db, dialect: Dialect) {
  const isOneOf =
    dialect === 'postgres'
      ? sql<SqlBool>`prefix = any(${null}::text[])`
      : sql<SqlBool>`prefix in (select value from json_each(${null}))`;
  return db.selectFrom('api_keys').select(CHECKED_COLUMNS).where(isOneOf);
}

type CheckedColumns = Pick<Selectable<StoreSchema['api_keys']>, (typeof CHECKED_COLUMNS)[number]>;

function toCheckedRow(row: CheckedColumns): CheckedApiKeyRow {
  return {
    id: row.id,
    userId: row.user_id,
    prefix: row.prefix,
    keyHash: row.key_hash,
    rowMac: row.row_mac,
    scopes: splitScopes(row.scopes),
    expiresAt: row.expires_at,
    isActive: Boolean(row.is_active),
    revokedAt: row.revoked_at,
    disabledAt: row.disabled_at,
    allowedIps: row.allowed_ips?.split(',') ?? null,
    rateLimit: row.rate_limit,
    rateWindowSeconds: row.rate_window_seconds,
    quota: row.quota,
    metadata: row.metadata,
  };
}

function toApiKeyRow(row: Selectable<StoreSchema['api_keys']>): ApiKeyRow {
  return {
    ...toCheckedRow(row),
    name: row.name,
    encryptedKey: row.encrypted_key,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    revokedBy: row.revoked_by,
    revokedReason: row.revoked_reason,
    disabledBy: row.disabled_by,
    rerolledFrom: row.rerolled_from,
  };
}
