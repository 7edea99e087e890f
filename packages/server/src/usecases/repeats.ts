/** Rows that would repeat within a minute are counted, and written as one summary when it is over. */
import type { AuditRepository, NewAuditRow } from '../store/store.js';

const WINDOW_MS = 60_000;
/** Kinds of rows that are counted at the same time; when there are more, the oldest is summed up early. */
const MOST_KINDS = 10_000;

interface Counted {
  readonly row: NewAuditRow;
  readonly startedMs: number;
  /** Further ones, not the first, which has a row of its own. */
  count: number;
  /** Of the first and the last of the further ones: the database's clock is not asked for each. */
  from: Date;
  to: Date;
}

/** Counts for one process. Bounded: by kinds, and by a minute. */
export class Repeats {
  readonly #audit: Pick<AuditRepository, 'insert'>;
  readonly #nowMs: () => number;
  readonly #most: number;
  /** In the order of their beginning. */
  readonly #counted = new Map<string, Counted>();
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(audit: Pick<AuditRepository, 'insert'>, nowMs: () => number = Date.now, most: number = MOST_KINDS) {
    this.#audit = audit;
    this.#nowMs = nowMs;
    this.#most = most;
  }

  /**
   * Writes the row, the first of its kind within a minute; counts it, if it is a further one.
   * @param kind what makes two rows the same: `row` must say all of it
   */
  async record(kind: string, row: NewAuditRow): Promise<void> {
    const nowMs = this.#nowMs();
    const known = this.#counted.get(kind);
    if (known && nowMs - known.startedMs < WINDOW_MS) {
      if (known.count === 0) known.from = new Date(nowMs);
      known.count++;
      known.to = new Date(nowMs);
      return;
    }
    if (known) {
      await this.#sum(kind, known);
      // Another of its kind may have begun anew meanwhile.
      return this.record(kind, row);
    }
    const time = new Date(nowMs);
    const counted: Counted = { row, startedMs: nowMs, count: 0, from: time, to: time };
    // Before the row is written, so that one of the same kind meanwhile is a further one.
    this.#counted.set(kind, counted);
    try {
      await this.#audit.insert(row);
    } catch (error) {
      // The next one tries again to be the first.
      if (counted.count === 0 && this.#counted.get(kind) === counted) this.#counted.delete(kind);
      throw error;
    }
    const [oldest] = this.#counted;
    if (this.#counted.size > this.#most && oldest) await this.#sum(...oldest);
    this.#wait();
  }

  /** Writes every summary now. @throws what the store throws; what was not written is kept, and tried again */
  async flush(): Promise<void> {
    for (const [kind, counted] of [...this.#counted]) await this.#sum(kind, counted);
  }

  /** The same at the end. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.flush();
  }

  async #sum(kind: string, counted: Counted): Promise<void> {
    if (this.#counted.get(kind) === counted) this.#counted.delete(kind);
    const { row, count, from, to } = counted;
    if (count === 0) return;
    const { requestId: _requestId, userAgent: _userAgent, details, ...same } = row;
    const repeated = { count, from: from.toISOString(), to: to.toISOString() };
    try {
      await this.#audit.insert({
        ...same,
        details: JSON.stringify({ ...(JSON.parse(details ?? '{}') as object), repeated }),
      });
    } catch (error) {
      // Back to its place, unless another of its kind has begun meanwhile: then that one has them as well.
      const newer = this.#counted.get(kind);
      if (newer) {
        newer.count += count;
        newer.from = from;
      } else this.#counted.set(kind, counted);
      throw error;
    }
  }

  /** Sums up what is over a minute old, and looks again when the next is. */
  #wait(): void {
    if (this.#timer || this.#isClosed) return;
    const [first] = this.#counted.values();
    if (!first) return;
    const leftMs = Math.max(0, first.startedMs + WINDOW_MS - this.#nowMs());
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#sumOld().then(
        () => this.#wait(),
        () => this.#waitLonger(),
      );
    }, leftMs);
    // Nobody is kept from ending: `close` writes what is left.
    this.#timer.unref();
  }

  /** The database does not take rows now. */
  #waitLonger(): void {
    if (this.#timer || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#wait();
    }, WINDOW_MS / 12);
    this.#timer.unref();
  }

  async #sumOld(): Promise<void> {
    for (const [kind, counted] of [...this.#counted]) {
      if (this.#nowMs() - counted.startedMs >= WINDOW_MS) await this.#sum(kind, counted);
    }
  }
}
