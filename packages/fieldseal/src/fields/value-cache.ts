/** A cache of decrypted values, bounded by number and age. Off unless somebody makes one. */
import { ownCopy } from '../core/own-copy.js';

/** The bounds of a cache. */
export interface ValueCacheOptions {
  /** The most values that it holds; the one that was used longest ago goes first. 1 to 1,000,000. */
  readonly entries: number;
  /** How long a value stays after it was decrypted, however often it is used. Above 0. */
  readonly maxAgeSeconds: number;
}

interface Entry {
  readonly bytes: Buffer;
  readonly expiresAtMs: number;
}

const MAX_ENTRIES = 1_000_000;

/** The length keeps two pairs of texts from giving one key: a value is never found under another context. */
function keyOf(contextKey: string, stored: string): string {
  return `${contextKey.length}:${contextKey}${stored}`;
}

/**
 * Decrypted bytes, by the place that they belong to and the stored token: a token that was copied to another place is
 * not found there. It belongs to one keyring, and is emptied when the generation changes.
 *
 * What it holds is plaintext in the memory of the process, beyond the time of a request: in a heap dump it is there to
 * read. Whatever leaves the cache is filled with zeros, at the next use of any value or at `clear()`; no timer runs.
 * It saves the decryption, not the reading of the row.
 */
export class ValueCache {
  // One entry is in both maps: in the order of decryption, so that what is expired always stands in front, and in the
  // order of use.
  readonly #byAge = new Map<string, Entry>();
  readonly #byUse = new Map<string, Entry>();
  readonly #entries: number;
  readonly #maxAgeMs: number;
  readonly #nowMs: () => number;
  #generation: string | number | null = null;

  /**
   * @param nowMs a clock that never goes back
   * @throws RangeError for bounds that are none
   */
  constructor({ entries, maxAgeSeconds }: ValueCacheOptions, nowMs: () => number = () => performance.now()) {
    if (!Number.isInteger(entries) || entries < 1 || entries > MAX_ENTRIES) {
      throw new RangeError('the entries of a cache are a whole number from 1 to 1000000');
    }
    if (!Number.isFinite(maxAgeSeconds) || maxAgeSeconds <= 0) {
      throw new RangeError('the maxAgeSeconds of a cache is a number above 0');
    }
    this.#entries = entries;
    this.#maxAgeMs = maxAgeSeconds * 1000;
    this.#nowMs = nowMs;
  }

  /** How many values it holds. */
  get size(): number {
    return this.#byAge.size;
  }

  /**
   * The bytes that `set` was given, as a copy that is the caller's to keep or erase; null when they are not here.
   * @param generation what the decryption depends on besides its key: keyring, its generation, that of the subjects
   * @param contextKey the bytes of the context, as latin1 or hex
   */
  get(generation: string | number, contextKey: string, stored: string): Buffer | null {
    this.#purge(generation);
    const key = keyOf(contextKey, stored);
    const entry = this.#byUse.get(key);
    if (!entry) return null;
    this.#byUse.delete(key);
    this.#byUse.set(key, entry);
    return ownCopy(entry.bytes);
  }

  /** Keeps a copy of decrypted bytes. The arguments are those of `get`. */
  set(generation: string | number, contextKey: string, stored: string, bytes: Uint8Array): void {
    this.#purge(generation);
    const key = keyOf(contextKey, stored);
    const entry = { bytes: ownCopy(bytes), expiresAtMs: this.#nowMs() + this.#maxAgeMs };
    this.#drop(key);
    if (this.#byUse.size >= this.#entries) this.#drop(this.#byUse.keys().next().value as string);
    this.#byAge.set(key, entry);
    this.#byUse.set(key, entry);
  }

  /** Erases and drops every value. */
  clear(): void {
    for (const { bytes } of this.#byAge.values()) bytes.fill(0);
    this.#byAge.clear();
    this.#byUse.clear();
  }

  /** Drops what must no longer be found: everything of another generation, and what is too old. */
  #purge(generation: string | number): void {
    if (generation !== this.#generation) this.clear();
    this.#generation = generation;
    const nowMs = this.#nowMs();
    for (const [key, { expiresAtMs }] of this.#byAge) {
      if (expiresAtMs > nowMs) break;
      this.#drop(key);
    }
  }

  #drop(key: string): void {
    this.#byAge.get(key)?.bytes.fill(0);
    this.#byAge.delete(key);
    this.#byUse.delete(key);
  }
}
