/** Keys that were verified, so that the next time needs no database. */
import { IpAllowList } from '../auth/ip-allow-list.js';
import type { CheckedApiKeyRow, UseLimits } from '../store/store.js';

/** What is known of a key that was presented whole, and whose row is as it was issued. */
export interface KnownApiKey extends UseLimits {
  readonly id: number;
  readonly userId: string;
  readonly scopes: readonly string[];
  readonly expiresAt: string | null;
  readonly expiresAtMs: number;
  readonly isRevoked: boolean;
  readonly isDisabled: boolean;
  /** Null: from everywhere. */
  readonly allowed: IpAllowList | null;
  /** When its row was asked for, in milliseconds of the monotonic clock. */
  readonly askedMs: number;
}

export function knownApiKey(row: CheckedApiKeyRow, askedMs: number): KnownApiKey {
  const { id, userId, scopes, expiresAt, allowedIps, rateLimit, rateWindowSeconds, quota } = row;
  return {
    id,
    userId,
    scopes,
    expiresAt,
    expiresAtMs: expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt),
    // The Python original has only the flag.
    isRevoked: row.revokedAt !== null || !row.isActive,
    isDisabled: row.disabledAt !== null,
    allowed: allowedIps === null ? null : new IpAllowList(allowedIps),
    rateLimit,
    rateWindowSeconds,
    quota,
    askedMs,
  };
}

/**
 * At most `size` keys, the least recently used out first, under the HMAC of the whole key. All belong to one state of the
 * database, and are forgotten with it. Only keys that exist get in: whoever tries texts fills nothing.
 */
export class ApiKeyCache {
  readonly #size: number;
  readonly #known = new Map<string, KnownApiKey>();
  #state: object | null = null;

  constructor(size: number) {
    this.#size = size;
  }

  get(state: object, keyHash: string): KnownApiKey | undefined {
    if (state !== this.#state) this.#forget(state);
    const known = this.#known.get(keyHash);
    if (!known) return undefined;
    this.#known.delete(keyHash);
    this.#known.set(keyHash, known);
    return known;
  }

  set(state: object, keyHash: string, known: KnownApiKey): void {
    if (this.#size === 0) return;
    if (state !== this.#state) this.#forget(state);
    this.#known.set(keyHash, known);
    if (this.#known.size > this.#size) this.#known.delete(this.#known.keys().next().value as string);
  }

  delete(keyHash: string): void {
    this.#known.delete(keyHash);
  }

  clear(): void {
    this.#forget(null);
  }

  #forget(state: object | null): void {
    this.#known.clear();
    this.#state = state;
  }
}
