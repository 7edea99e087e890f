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

/** What a new key needs; the store adds the id. */
export type NewApiKeyRow = Omit<
  ApiKeyRow,
  'id' | 'lastUsedAt' | 'isActive' | 'revokedAt' | 'revokedBy' | 'revokedReason' | 'disabledAt' | 'disabledBy'
>;

export interface ApiKeyRepository {
  /** @throws FieldsealError `ERR_API_KEY_PREFIX_TAKEN` when the prefix exists already; draw another */
  insert(row: NewApiKeyRow): Promise<ApiKeyRow>;
  get(id: number): Promise<ApiKeyRow | null>;
  findByPrefix(prefix: string): Promise<ApiKeyRow | null>;
  /** Newest first, of one owner or (null) of all; `beforeId` continues behind the last row of the page before. */
  list(options: {
    readonly userId: string | null;
    readonly limit: number;
    readonly beforeId?: number;
  }): Promise<ApiKeyRow[]>;
  /** Revokes an unrevoked key and returns its row; null when it is revoked already or absent. One statement. */
  revoke(id: number, change: { readonly by: string; readonly reason: string | null }): Promise<ApiKeyRow | null>;
  /** Sets hash and MAC of a row that has no hash yet; false when it has. */
  setHash(id: number, hash: { readonly keyHash: string; readonly rowMac: string }): Promise<boolean>;
  /** Rows without a hash, oldest first. */
  listUnhashed(limit: number): Promise<ApiKeyRow[]>;
  /** Grows in the transaction of every change to a key; uses of a key do not change it. */
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
