/**
 * Knowing, without asking each time, that nothing has changed: a revision is polled, and what it says counts for a second.
 * A change that is committed reaches every process within that second, since a poll that began later has seen it.
 */

const POLL_MS = 500;
/** From the beginning of the last poll that was answered. */
const FRESH_MS = 1000;
/** Without anybody who wants to know, no more is asked. */
const IDLE_MS = 60_000;

/** Two clocks, in milliseconds. One stands still while a machine sleeps, the other may be set. */
export interface Clock {
  monotonicMs(): number;
  wallMs(): number;
}

export const SYSTEM_CLOCK: Clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

/** Polls while it is started and wanted. `State` is compared by identity: the same object means that nothing changed. */
export class RevisionWatch<State extends object> {
  readonly #read: (known: State | null) => Promise<State>;
  readonly #clock: Clock;
  #state: State | null = null;
  #beganMonotonicMs = 0;
  #beganWallMs = 0;
  #wantedMs = 0;
  #started = false;
  #timer: NodeJS.Timeout | null = null;
  #polling: Promise<void> | null = null;
  /** A poll that began before this process changed something says nothing any more. */
  #generation = 0;

  /** @param read gets what is known, and returns that same object when nothing changed */
  constructor(read: (known: State | null) => Promise<State>, clock: Clock = SYSTEM_CLOCK) {
    this.#read = read;
    this.#clock = clock;
  }

  get isStarted(): boolean {
    return this.#started;
  }

  /** Polls once, and from then on. Its timers keep no process alive. */
  async start(): Promise<void> {
    this.#started = true;
    this.#wantedMs = this.#clock.monotonicMs();
    await this.#pollAndSchedule();
  }

  /** After it nothing is fresh, and no poll is under way. */
  async stop(): Promise<void> {
    this.#started = false;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#polling;
    this.#state = null;
  }

  /** What the last answered poll said, when it began less than a second ago; else null. */
  get fresh(): State | null {
    if (!this.#started) return null;
    const nowMs = this.#clock.monotonicMs();
    this.#wantedMs = nowMs;
    if (this.#timer === null && this.#polling === null) void this.#pollAndSchedule();
    const isFresh = nowMs - this.#beganMonotonicMs < FRESH_MS && this.#clock.wallMs() - this.#beganWallMs < FRESH_MS;
    return isFresh ? this.#state : null;
  }

  /** One poll; a second caller shares the one under way. A failure only lets what is known grow old. */
  poll(): Promise<void> {
    this.#polling ??= this.#pollOnce().finally(() => {
      this.#polling = null;
    });
    return this.#polling;
  }

  /** After a change of this process's own: what was known is forgotten when it returns, and asked for again. */
  async refresh(): Promise<void> {
    this.#generation++;
    this.#state = null;
    await this.#polling;
    if (this.#started) await this.poll();
  }

  async #pollOnce(): Promise<void> {
    const generation = this.#generation;
    const [monotonicMs, wallMs] = [this.#clock.monotonicMs(), this.#clock.wallMs()];
    try {
      const state = await this.#read(this.#state);
      if (generation !== this.#generation) return;
      this.#state = state;
      this.#beganMonotonicMs = monotonicMs;
      this.#beganWallMs = wallMs;
    } catch {
      // The database does not answer: whoever needs it will say so.
    }
  }

  async #pollAndSchedule(): Promise<void> {
    const beganMs = this.#clock.monotonicMs();
    this.#timer = null;
    await this.poll();
    const nowMs = this.#clock.monotonicMs();
    if (!this.#started || this.#timer !== null || nowMs - this.#wantedMs > IDLE_MS) return;
    this.#timer = setTimeout(() => void this.#pollAndSchedule(), Math.max(0, POLL_MS - (nowMs - beganMs)));
    this.#timer.unref();
  }
}
