/** When keys were last used: collected in memory, and written every few seconds. */
import type { ApiKeyUse } from '../store/store.js';
import { type Clock, SYSTEM_CLOCK } from './watch-revision.js';

const FLUSH_MS = 2000;
const MAX_KEYS = 10_000;
/** A use that could not be written for so long is forgotten. */
const MAX_AGE_MS = 600_000;

/** The uses that are not written yet: of each key the last one. */
export class ApiKeyUses {
  readonly #write: (uses: readonly ApiKeyUse[]) => Promise<readonly number[]>;
  readonly #clock: Clock;
  /** When, by the monotonic clock. */
  #usedMs = new Map<number, number>();
  #timer: NodeJS.Timeout | null = null;
  #flushing: Promise<void> | null = null;

  constructor(write: (uses: readonly ApiKeyUse[]) => Promise<readonly number[]>, clock: Clock = SYSTEM_CLOCK) {
    this.#write = write;
    this.#clock = clock;
  }

  /** Remembers that a key is used now. With too many keys at once, the one whose use is oldest is forgotten. */
  note(id: number): void {
    this.#usedMs.delete(id);
    this.#usedMs.set(id, this.#clock.monotonicMs());
    if (this.#usedMs.size > MAX_KEYS) this.#usedMs.delete(this.#usedMs.keys().next().value as number);
    this.#wait();
  }

  #wait(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      // What could not be written waits for no other use.
      void this.flush().then(() => {
        if (this.#usedMs.size > 0) this.#wait();
      });
    }, FLUSH_MS);
    this.#timer.unref();
  }

  /** Writes what there is. A time that cannot be written is no reason to fail anything: it is kept for the next time. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flushOnce().finally(() => {
      this.#flushing = null;
    });
    return this.#flushing;
  }

  /** Writes what there is once more, uses during a flush included. */
  async stop(): Promise<void> {
    await this.#flushing;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.flush();
  }

  async #flushOnce(): Promise<void> {
    const taken = this.#usedMs;
    if (taken.size === 0) return;
    this.#usedMs = new Map();
    const nowMs = this.#clock.monotonicMs();
    const uses = Array.from(taken, ([id, usedMs]) => ({ id, agoMs: nowMs - usedMs }));
    const written = new Set(await this.#write(uses).catch(() => []));
    const kept = uses.filter(({ id, agoMs }) => !written.has(id) && agoMs < MAX_AGE_MS && !this.#usedMs.has(id));
    if (kept.length === 0) return;
    const room = MAX_KEYS - this.#usedMs.size;
    const later = this.#usedMs;
    this.#usedMs = new Map(kept.slice(-room || kept.length).map(({ id, agoMs }) => [id, nowMs - agoMs]));
    for (const [id, usedMs] of later) this.#usedMs.set(id, usedMs);
  }
}
