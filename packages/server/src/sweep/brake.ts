/**
 * Holding the lanes of one process back between batches, for a PostgreSQL server that has enough to do, and telling why.
 * No wait is without an end but the one that was asked for, for standbys.
 */
import { setTimeout } from 'node:timers/promises';

/** Standbys are looked at no more often than this, however many batches are written. */
const LOOK_MS = 1_000;
/** A timer may be a moment early. */
const LOOK_AGAIN_MS = LOOK_MS + 1;
/** A batch that takes so many times its target takes a part of a server that is wanted elsewhere. */
const BUSY_TIMES = 4;
/** What is larger takes its time on an idle server too. */
const FEW_CHARACTERS = 1024 * 1024;
const LONGEST_REST_MS = 5_000;

export const SLOW = 'Writing takes several times as long as it should, so it rests as long after each batch.';
export const LOCKED = 'It waits for rows that another transaction has locked.';

/**
 * How long the server is left alone after a slow batch that follows another, in milliseconds: as long as the batch took, so that a slow server is
 * never asked for more than half of the time, and 5 seconds at most, so that the sweep comes to its end.
 * @param targetMs what a batch is to take; the number of its rows follows that
 * @param characters how much its values take
 */
export function restMs(tookMs: number, targetMs: number, characters: number): number {
  if (tookMs <= BUSY_TIMES * targetMs || characters > FEW_CHARACTERS) return 0;
  return Math.min(tookMs, LONGEST_REST_MS);
}

/** What is looked at between batches. */
export interface Watch {
  /** Why no lane may go on, in a sentence; null: they may. */
  look(): Promise<string | null>;
}

/** One for all lanes of a process. */
export class Brake {
  readonly #watch: Watch | null;
  readonly #tell: (reason: string | null) => Promise<void>;
  readonly #reasons = new Map<object, string>();
  #told: string | null = null;
  #telling = Promise.resolve();
  #looked: { readonly atMs: number; readonly reason: Promise<string | null> } | null = null;

  /**
   * @param watch null: nothing is looked at
   * @param tell gets why the process waits, each time that changes, and null when it goes on; what it throws is dropped
   */
  constructor(watch: Watch | null, tell: (reason: string | null) => Promise<void>) {
    this.#watch = watch;
    this.#tell = tell;
  }

  /** Returns when the watch lets the lanes go on, or when `stop` is aborted. @throws what `look` throws */
  async hold(stop: AbortSignal): Promise<void> {
    if (!this.#watch) return;
    for (;;) {
      const reason = stop.aborted ? null : await this.#look(this.#watch);
      await this.say(this, reason);
      if (reason === null) return;
      await setTimeout(LOOK_AGAIN_MS, undefined, { signal: stop }).catch(() => {});
    }
  }

  /** What `who` waits for; null: nothing any more. Returns when it is told. */
  async say(who: object, reason: string | null): Promise<void> {
    if (reason === null) this.#reasons.delete(who);
    else this.#reasons.set(who, reason);
    const [now = null] = this.#reasons.values();
    if (now === this.#told) return;
    this.#told = now;
    // One after another: a reason that is told late must not stand beside a run that goes on.
    this.#telling = this.#telling.then(() => this.#tell(now)).catch(() => {});
    await this.#telling;
  }

  #look(watch: Watch): Promise<string | null> {
    const nowMs = performance.now();
    if (!this.#looked || nowMs - this.#looked.atMs >= LOOK_MS) this.#looked = { atMs: nowMs, reason: watch.look() };
    return this.#looked.reason;
  }
}
