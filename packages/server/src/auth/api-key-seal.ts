/** What is stored of an API key in the place of the key: its hash, and a MAC over what it may do. */
import { KeyedHash, type KeyringSnapshot } from 'fieldseal';
import type { ApiKeyRow } from '../store/store.js';

/** What the row's MAC covers: a database writer cannot give a key to another owner, widen its scopes or prolong it. */
export type SealedFields = Pick<ApiKeyRow, 'prefix' | 'userId' | 'scopes' | 'expiresAt'>;

/** Hashes and MACs under the ring's API-key-hash key. */
export class ApiKeySeal {
  readonly #hash: KeyedHash;
  readonly #row: KeyedHash;

  /** The seal of a ring; null when it has no API-key-hash key yet. */
  static of(ring: KeyringSnapshot): ApiKeySeal | null {
    const secret = ring.purposeKey('api-key-hash')?.secret;
    return secret ? new ApiKeySeal(new KeyedHash(secret, 'api-key/1'), new KeyedHash(secret, 'api-key-row/1')) : null;
  }

  private constructor(hash: KeyedHash, row: KeyedHash) {
    this.#hash = hash;
    this.#row = row;
  }

  hashKey(key: string): string {
    return this.#hash.hash(key);
  }

  /** Constant time. */
  isKey(row: ApiKeyRow, key: string): boolean {
    return row.keyHash !== null && this.#hash.matches(row.keyHash, key);
  }

  macRow(fields: SealedFields, keyHash: string): string {
    return this.#row.hash(...rowParts(fields, keyHash));
  }

  /** Whether owner, scopes and expiry are those that the key was issued with. Constant time. */
  isIntact(row: ApiKeyRow): boolean {
    return row.keyHash !== null && row.rowMac !== null && this.#row.matches(row.rowMac, ...rowParts(row, row.keyHash));
  }
}

function rowParts({ prefix, userId, scopes, expiresAt }: SealedFields, keyHash: string): string[] {
  // The instant, not its spelling: databases write the same time in different ways.
  const expiry = expiresAt === null ? '' : String(Date.parse(expiresAt));
  return [prefix, keyHash, userId, expiry, ...scopes];
}
