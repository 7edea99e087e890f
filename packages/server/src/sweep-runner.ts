/** The service's part in runs, those of its own and of others: one after another, each in a thread of its own. */
import { Worker } from 'node:worker_threads';
import { SWEEP_YOUNG_GENERATION_MB } from './run-in-thread.js';
import type { SweepWorkerData, SweepWorkerMessage } from './sweep-worker.js';
import type { Tracing } from './telemetry/tracing.js';
import { AvoidedWork, POLL_MS, RETRY_MS, type Work } from './usecases/find-work.js';

/** Looks for work until it is stopped. */
export class SweepRunner {
  readonly #data: Omit<SweepWorkerData, 'work'>;
  readonly #find: (isAvoided: (work: Work) => boolean) => Promise<Work | null>;
  readonly #log: (line: Readonly<Record<string, unknown>>) => void;
  readonly #tracing: Tracing;
  readonly #avoided = new AvoidedWork();
  #isLooking = false;
  #isAsked = false;
  #worker: Worker | null = null;
  #next: NodeJS.Timeout | null = null;
  #isStopped = false;

  /** @param find the next work for this process */
  constructor(
    data: Omit<SweepWorkerData, 'work'>,
    find: (isAvoided: (work: Work) => boolean) => Promise<Work | null>,
    log: (line: Readonly<Record<string, unknown>>) => void,
    tracing: Tracing,
  ) {
    this.#data = data;
    this.#find = find;
    this.#log = log;
    this.#tracing = tracing;
  }

  /** Begins to look for work. */
  start(): void {
    void this.#look();
  }

  /** Looks at once, and also at a run that it had given up: somebody has just asked for it. */
  wake(run: number): void {
    this.#avoided.forget(run);
    this.#isAsked = true;
    void this.#look();
  }

  /** Stops after the batch under way; the run goes on elsewhere, or when the service starts next. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#next) clearTimeout(this.#next);
    const worker = this.#worker;
    if (!worker) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.postMessage('stop');
    await ended;
  }

  async #look(): Promise<void> {
    if (this.#isStopped || this.#worker || this.#isLooking) return;
    if (this.#next) clearTimeout(this.#next);
    this.#isLooking = true;
    this.#isAsked = false;
    // A database that does not answer is asked again.
    const work = await this.#find((found) => this.#avoided.has(found)).catch(() => null);
    this.#isLooking = false;
    if (this.#isStopped) return;
    if (work) this.#work(work);
    else if (this.#isAsked) void this.#look();
    else this.#next = setTimeout(() => void this.#look(), POLL_MS);
  }

  #work(work: Work): void {
    const { run, as } = work;
    this.#log({ level: 'info', event: 'sweep_started', run: run.id, as });
    const about = { 'fieldseal.run.id': run.id, 'fieldseal.run.kind': run.kind, 'fieldseal.run.as': as };
    const span = this.#tracing.start(`sweep ${run.kind}`, about);
    const worker = new Worker(new URL('./sweep-worker.js', import.meta.url), {
      workerData: { ...this.#data, work },
      resourceLimits: { maxYoungGenerationSizeMb: SWEEP_YOUNG_GENERATION_MB },
    });
    this.#worker = worker;
    let outcome: SweepWorkerMessage = {
      done: null,
      error: { code: 'ERR_INTERNAL', message: 'the thread ended without an answer' },
      avoidMs: RETRY_MS,
    };
    worker.on('message', (message: SweepWorkerMessage) => {
      outcome = message;
    });
    worker.on('error', (error) => {
      outcome = { done: null, error: { code: 'ERR_INTERNAL', message: error.name }, avoidMs: RETRY_MS };
    });
    worker.once('exit', () => {
      this.#worker = null;
      const { done, error, avoidMs } = outcome;
      this.#log({
        level: error ? 'error' : 'info',
        event: 'sweep_ended',
        run: run.id,
        as,
        ...done,
        ...(error && { error }),
      });
      if (done) span.set({ 'fieldseal.run.status': done.status });
      if (error) span.set({ 'error.type': error.code });
      span.end(error !== null);
      if (avoidMs > 0) this.#avoided.add(work, avoidMs);
      void this.#look();
    });
  }
}
