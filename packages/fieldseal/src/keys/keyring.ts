/** The keyring an application holds: the newest snapshot, kept fresh behind its back. */
import { FieldsealError } from '../errors.js';
import type { KeyProvider } from './key-provider.js';
import type { KeyringSnapshot } from './keyring-snapshot.js';

/** How long a stored ring may go unconfirmed before nothing is encrypted with it (SWEEPS.md calls it confirmation time). */
export const CONFIRMATION_SECONDS = 60;
/** How often a stored ring is read again, unless told otherwise. */
export const REFRESH_SECONDS = 10;

/** One primary key to write, many to read. Get one from `openKeyring`, or from `keyringFromEnv`. */
export class Keyring {
  #snapshot: KeyringSnapshot;
  /** Milliseconds of the monotonic clock; null for a ring that nobody else can change. */
  #confirmedAtMs: number | null = null;
  #close: () => Promise<void> = async () => {};

  constructor(snapshot: KeyringSnapshot) {
    this.#snapshot = snapshot;
  }

  /** The ring as it is now, for reading. A batch takes one snapshot and works on it. */
  snapshot(): KeyringSnapshot {
    return this.#snapshot;
  }

  /**
   * The ring as it is now, for writing.
   * @throws FieldsealError `ERR_KEYRING_STALE` when the ring could not be confirmed for 60 seconds: a rotation may have
   * moved on without this process, and a value under a retired key would be lost
   */
  writableSnapshot(): KeyringSnapshot {
    if (this.#confirmedAtMs !== null && performance.now() - this.#confirmedAtMs > CONFIRMATION_SECONDS * 1000) {
      throw new FieldsealError(
        'ERR_KEYRING_STALE',
        `The keyring could not be read for ${CONFIRMATION_SECONDS} seconds; nothing is encrypted until its database answers.`,
      );
    }
    return this.#snapshot;
  }

  /**
   * Swaps in a newer snapshot.
   * @throws FieldsealError `ERR_KEYRING_ROLLBACK` for another ring or a lower generation
   */
  replace(snapshot: KeyringSnapshot): void {
    if (snapshot.id !== this.#snapshot.id || snapshot.generation < this.#snapshot.generation) {
      throw new FieldsealError(
        'ERR_KEYRING_ROLLBACK',
        'The stored keyring is older than one seen before, or another one.',
      );
    }
    if (snapshot.generation > this.#snapshot.generation) this.#snapshot = snapshot;
  }

  /** Starts the refresh; `openKeyring` calls it once. @internal */
  follow(provider: KeyProvider, refreshSeconds: number): void {
    this.#confirmedAtMs = performance.now();
    let running: Promise<void> | null = null;
    const timer = setInterval(() => {
      running ??= this.refresh(provider)
        .catch(() => {}) // Unconfirmed; after 60 seconds of that, writing stops. Reading goes on.
        .finally(() => {
          running = null;
        });
    }, refreshSeconds * 1000);
    timer.unref();
    this.#close = async () => {
      clearInterval(timer);
      await running;
      await provider.close?.();
    };
  }

  /** Reads the ring again now, and tells the store which generation this process uses. */
  async refresh(provider: KeyProvider): Promise<void> {
    // Confirmed as of before the read: what changed during it may not be in what was read.
    const askedAtMs = performance.now();
    this.replace(await provider.load());
    // Only after the swap: whoever waits for the acknowledgement relies on the new ring being in use.
    await provider.acknowledge?.(this.#snapshot.generation);
    this.#confirmedAtMs = askedAtMs;
  }

  /** Stops refreshing and signs off, so that a rotation does not wait for this process. The ring stays readable. */
  async close(): Promise<void> {
    await this.#close();
    this.#close = async () => {};
  }
}
