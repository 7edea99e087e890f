/** Drives the service's runs one after another, each in a thread of its own, and again after a fault that passes. */
import { Worker } from 'node:worker_threads';
import type { SweepWorkerData, SweepWorkerMessage } from './sweep-worker.js';

const RETRY_MS = 5_000;

/** Runs that are to be driven to their end by this process. */
export class SweepRunner {
  readonly #data: Omit<SweepWorkerData, 'run'>;
  readonly #log: (line: Readonly<Record<string, unknown>>) => void;
  readonly #isWanted: (run: number) => Promise<boolean>;
  readonly #queue: number[] = [];
  #worker: Worker | null = null;
  #retry: NodeJS.Timeout | null = null;
  #isStopped = false;

  /** @param isWanted whether a run is still to be driven: a person may have paused or cancelled it */
  constructor(
    data: Omit<SweepWorkerData, 'run'>,
    isWanted: (run: number) => Promise<boolean>,
    log: (line: Readonly<Record<string, unknown>>) => void,
  ) {
    this.#data = data;
    this.#isWanted = isWanted;
    this.#log = log;
  }

  /** Has the run driven, after those that wait already. One that is being driven is looked at again at its end. */
  start(run: number): void {
    if (!this.#queue.includes(run)) this.#queue.push(run);
    this.#next();
  }

  /** Stops after the batch under way; the run goes on when the service starts next. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#retry) clearTimeout(this.#retry);
    const worker = this.#worker;
    if (!worker) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.postMessage('stop');
    await ended;
  }

  async #tryAgain(): Promise<void> {
    const [run] = this.#queue;
    // While the database does not answer, nobody can have changed their mind in it.
    const isWanted = run === undefined || (await this.#isWanted(run).catch(() => true));
    this.#retry = null;
    if (!isWanted) this.#queue.shift();
    this.#next();
  }

  #next(): void {
    if (this.#isStopped || this.#worker || this.#retry) return;
    const run = this.#queue.shift();
    if (run === undefined) return;
    this.#log({ level: 'info', event: 'sweep_started', run });
    const worker = new Worker(new URL('./sweep-worker.js', import.meta.url), { workerData: { ...this.#data, run } });
    this.#worker = worker;
    let outcome: SweepWorkerMessage = {
      type: 'error',
      code: 'ERR_INTERNAL',
      message: 'the thread ended without an answer',
      isPassing: true,
    };
    worker.on('message', (message: SweepWorkerMessage) => {
      outcome = message;
    });
    worker.on('error', (error) => {
      outcome = { type: 'error', code: 'ERR_INTERNAL', message: error.name, isPassing: true };
    });
    worker.once('exit', () => {
      this.#worker = null;
      this.#log({ level: outcome.type === 'done' ? 'info' : 'error', event: 'sweep_ended', run, outcome });
      if (outcome.type === 'error' && outcome.isPassing && !this.#isStopped) {
        // Whoever resumed it meanwhile has put it there already.
        if (!this.#queue.includes(run)) this.#queue.unshift(run);
        this.#retry = setTimeout(() => void this.#tryAgain(), RETRY_MS);
      } else this.#next();
    });
  }
}
