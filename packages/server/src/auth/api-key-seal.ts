/** What is stored of an API key in the place of the key: its hash, and a MAC over what it may do. */
import { KeyedHash, type KeyringSnapshot, type Secret, timingSafeEqualHex } from 'fieldseal';
import type { ApiKeyLimits, ApiKeyRow, CheckedApiKeyRow } from '../store/store.js';

/**
 * What the row's MAC covers: a database writer cannot give a key to another owner, widen its scopes, prolong it or take a
 * limit off.
 */
export type SealedFields = Pick<ApiKeyRow, 'prefix' | 'userId' | 'scopes' | 'expiresAt'> & ApiKeyLimits;

/** Of a hash's form; compared with where there is none, so that its absence takes no less time. */
const NO_HASH = '0'.repeat(64);

/** Hashes and MACs under the ring's API-key-hash key. */
export class ApiKeySeal {
  readonly #hash: KeyedHash;
  readonly #token: KeyedHash;
  readonly #row: KeyedHash;
  /** Of rows with limits. Rows without any keep the MAC that they had before there were limits. */
  readonly #limitedRow: KeyedHash;
  readonly #request: KeyedHash;

  /** The seal of a ring; null when it has no API-key-hash key yet. */
  static of(ring: KeyringSnapshot): ApiKeySeal | null {
    const secret = ring.purposeKey('api-key-hash')?.secret;
    return secret ? new ApiKeySeal(secret) : null;
  }

  private constructor(secret: Secret) {
    this.#hash = new KeyedHash(secret, 'api-key/1');
    this.#token = new KeyedHash(secret, 'cached-token/1');
    this.#row = new KeyedHash(secret, 'api-key-row/1');
    this.#limitedRow = new KeyedHash(secret, 'api-key-row/2');
    this.#request = new KeyedHash(secret, 'api-key-request/1');
  }

  hashKey(key: string): string {
    return this.#hash.hash(key);
  }

  /** Under which a verified JWT is remembered. */
  hashToken(token: string): string {
    return this.#token.hash(token);
  }

  /** Whether it is the row of the key that {@link hashKey} made `hash` of. Constant time, also for a row without a hash, or none. */
  hasHash(row: Pick<ApiKeyRow, 'keyHash'> | undefined, hash: string): boolean {
    const stored = row?.keyHash ?? null;
    return timingSafeEqualHex(stored ?? NO_HASH, hash) && stored !== null;
  }

  macRow(fields: SealedFields, keyHash: string): string {
    return this.#rowHash(fields).hash(...rowParts(fields, keyHash));
  }

  /** Whether owner, scopes, expiry and limits are those that the key was issued with. Constant time. */
  isIntact(row: CheckedApiKeyRow): boolean {
    if (row.keyHash === null || row.rowMac === null) return false;
    return this.#rowHash(row).matches(row.rowMac, ...rowParts(row, row.keyHash));
  }

  /** What is kept of a request, to know it again. */
  hashRequest(parts: readonly string[]): string {
    return this.#request.hash(...parts);
  }

  /** Constant time. */
  isRequest(requestHash: string, parts: readonly string[]): boolean {
    return this.#request.matches(requestHash, ...parts);
  }

  #rowHash(fields: SealedFields): KeyedHash {
    return limitsOf(fields) === null ? this.#row : this.#limitedRow;
  }
}

/** JSON text of the limits in their order; null where there are none. */
function limitsOf({ allowedIps, rateLimit, rateWindowSeconds, quota, metadata }: ApiKeyLimits): string | null {
  const limits = [allowedIps, rateLimit, rateWindowSeconds, quota, metadata];
  return limits.every((limit) => limit === null) ? null : JSON.stringify(limits);
}

function rowParts(fields: SealedFields, keyHash: string): string[] {
  const { prefix, userId, scopes, expiresAt } = fields;
  // The instant, not its spelling: databases write the same time in different ways.
  const expiry = expiresAt === null ? '' : String(Date.parse(expiresAt));
  const limits = limitsOf(fields);
  return [prefix, keyHash, userId, expiry, ...(limits === null ? [] : [limits]), ...scopes];
}
