/** The rows of API keys, and what a store does with them. */

/** A row of `api_keys`. Times are RFC 3339 UTC. The key itself is never in it. */
export interface ApiKeyRow {
  readonly id: number;
  /** The owner: the subject of whoever created it. */
  readonly userId: string;
  readonly name: string;
  /** The key up to its second underscore, `pk_abc123`; unique. */
  readonly prefix: string;
  /** HMAC of the key (hex); null for a key of the Python original that was not hashed yet. */
  readonly keyHash: string | null;
  /** MAC over prefix, owner, scopes and expiry (hex), so that a database writer cannot widen a key; null with `keyHash`. */
  readonly rowMac: string | null;
  /** A Fernet token of the key, or null where the configuration leaves it out. */
  readonly encryptedKey: string | null;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
  readonly isActive: boolean;
  readonly revokedAt: string | null;
  readonly revokedBy: string | null;
  readonly revokedReason: string | null;
  /** Not null: it is out of use for now, which is no revocation. */
  readonly disabledAt: string | null;
  readonly disabledBy: string | null;
  /** Addresses and networks (`10.0.0.0/8`) that it may be used from; null: from everywhere. */
  readonly allowedIps: readonly string[] | null;
  /** Uses in each window of `rateWindowSeconds`; null: as many as there are. Both are null, or neither. */
  readonly rateLimit: number | null;
  readonly rateWindowSeconds: number | null;
  /** Uses in all; null: as many as there are. */
  readonly quota: number | null;
  /** JSON text of an object that its owner gave it. */
  readonly metadata: string | null;
  /** The id of the key that it took the place of. */
  readonly rerolledFrom: number | null;
}

/** What decides whether a key is valid. */
export type CheckedApiKeyRow = Omit<
  ApiKeyRow,
  | ('name' | 'encryptedKey' | 'createdAt' | 'lastUsedAt' | 'rerolledFrom')
  | ('revokedBy' | 'revokedReason' | 'disabledBy')
>;

/** What bounds the use of a key, and what it carries. Stands under the row's MAC. */
export type ApiKeyLimits = Pick<ApiKeyRow, 'allowedIps' | 'rateLimit' | 'rateWindowSeconds' | 'quota' | 'metadata'>;

/** A key that nothing bounds. */
export const NO_LIMITS: ApiKeyLimits = {
  allowedIps: null,
  rateLimit: null,
  rateWindowSeconds: null,
  quota: null,
  metadata: null,
};

/** What a key can be to those who use it. A key that is disabled or revoked is that, expired or not. */
export const API_KEY_STATES = ['active', 'disabled', 'revoked', 'expired'] as const;
export type ApiKeyState = (typeof API_KEY_STATES)[number];

/** Which keys; what is left out does not restrict. */
export interface ApiKeyFilter {
  /** By the database's clock. */
  readonly state?: ApiKeyState;
  /** The whole prefix. */
  readonly prefix?: string;
  /** Exclusive, RFC 3339; keys without an end are before nothing. */
  readonly expiresBefore?: string;
  /** Inclusive, RFC 3339; keys without an end are after everything. */
  readonly expiresAfter?: string;
}

/** What may be changed of a key that is issued. */
export type ApiKeyChange = Pick<ApiKeyRow, 'name' | 'rowMac'> & ApiKeyLimits;

/** What a new key needs; the store adds the id. */
export type NewApiKeyRow = Omit<
  ApiKeyRow,
  'id' | 'lastUsedAt' | 'isActive' | 'revokedAt' | 'revokedBy' | 'revokedReason' | 'disabledAt' | 'disabledBy'
>;

/**
 * Every change that other processes must see raises the revision in the same transaction: as its last statement, since on
 * PostgreSQL writers then wait for each other until they commit.
 */
export interface ApiKeyRepository {
  /** @throws FieldsealError `ERR_API_KEY_PREFIX_TAKEN` when the prefix exists already; draw another */
  insert(row: NewApiKeyRow): Promise<ApiKeyRow>;
  get(id: number): Promise<ApiKeyRow | null>;
  /** The same, and nobody else changes the row until the transaction has ended. */
  lock(id: number): Promise<ApiKeyRow | null>;
  /** Those of the rows that there are, in no order; of a prefix that is there twice the row comes once. */
  findByPrefixes(prefixes: readonly string[]): Promise<CheckedApiKeyRow[]>;
  /** The key that took the place of this one. */
  findSuccessor(id: number): Promise<ApiKeyRow | null>;
  /** Newest first, of one owner or (null) of all; `beforeId` continues behind the last row of the page before. */
  list(
    options: { readonly userId: string | null; readonly limit: number; readonly beforeId?: number } & ApiKeyFilter,
  ): Promise<ApiKeyRow[]>;
  /** Revokes an unrevoked key and returns its row; null when it is revoked already or absent. One statement. */
  revoke(id: number, change: { readonly by: string; readonly reason: string | null }): Promise<ApiKeyRow | null>;
  /** Puts an unrevoked key out of use, and returns its row; null when it is disabled or revoked already, or absent. */
  disable(id: number, by: string): Promise<ApiKeyRow | null>;
  /** Takes it into use again; null when it is not disabled, or revoked, or absent. */
  enable(id: number): Promise<ApiKeyRow | null>;
  /** Changes an unrevoked key whose MAC is still `expectedMac`; null (and nothing written) for any other. */
  update(id: number, expectedMac: string, change: ApiKeyChange): Promise<ApiKeyRow | null>;
  /** Gives an unrevoked key whose MAC is still `expectedMac` another end; null (and nothing written) for any other. */
  setExpiry(
    id: number,
    expectedMac: string,
    change: { readonly expiresAt: string; readonly rowMac: string },
  ): Promise<ApiKeyRow | null>;
  /**
   * Lets key `toId`, which is new, go on counting where `fromId` stands, and uses up what that has left of its `quota`, so
   * that both together never have more. Only in a transaction.
   */
  moveQuota(fromId: number, toId: number, quota: number): Promise<void>;
  /** Sets hash and MAC of a row that has no hash yet; false when it has. */
  setHash(id: number, hash: { readonly keyHash: string; readonly rowMac: string }): Promise<boolean>;
  /** Rows without a hash, oldest first; with `lock`, nobody else changes them until the transaction has ended. */
  listUnhashed(limit: number, lock?: 'lock'): Promise<ApiKeyRow[]>;
  /** Grows with each change of a key that there is, but for its uses: whoever remembers keys asks whether it still is the same. */
  revision(): Promise<number>;
  /** Whether keys were taken over that have our shape and, not being ours, no checksum. */
  hasUnchecked(): Promise<boolean>;
  /** Remembers that there are such keys. */
  noteUnchecked(): Promise<void>;
}

/** What may be used of a key, and how often. */
export type UseLimits = Pick<ApiKeyRow, 'rateLimit' | 'rateWindowSeconds' | 'quota'>;

/** What became of a use. */
export interface UseOutcome {
  /** `used`: counted. The others are not counted. */
  readonly result: 'used' | 'rate_limited' | 'quota_exceeded';
  /** Uses left in this window; null: no rate limit. */
  readonly remaining: number | null;
  /** Milliseconds until the window ends, by the database's clock; null: no rate limit. */
  readonly resetMs: number | null;
}

/** A key that was used. */
export interface ApiKeyUse {
  readonly id: number;
  /** How long ago, in milliseconds. */
  readonly agoMs: number;
}

/** What is counted of the use of keys. */
export interface ApiKeyUsageRepository {
  /**
   * Counts one use of a key unless that would exceed a limit. Exact, however many processes count at once; windows are
   * those of the database's clock, and begin with their first use.
   */
  consume(id: number, limits: UseLimits): Promise<UseOutcome>;
  /**
   * Moves `last_used_at` forward, never back, in one statement. PostgreSQL: rows that somebody else has locked are left out.
   * @returns the ids of the rows that were not left out
   */
  markUsed(uses: readonly ApiKeyUse[]): Promise<number[]>;
}
