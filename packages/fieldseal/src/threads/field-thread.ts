/** The near side of a thread that works on slices: each goes out, and comes back as a promise. */
import { Worker } from 'node:worker_threads';
import type { Ready, SliceReply, SliceRequest, SliceWork } from './field-worker.js';

/**
 * The compiled worker. Asked for late: in an application bundled as CommonJS there is no `import.meta.url`. A
 * thread starts without the loaders of vitest or tsx, and plain Node 20 reads no TypeScript: when this file is run from
 * `src`, the worker still comes out of `dist`, which `npm run build` makes.
 */
function workerUrl(): URL {
  const isSource = import.meta.url.endsWith('.ts');
  return new URL(isSource ? '../../dist/threads/field-worker.js' : './field-worker.js', import.meta.url);
}

/** One thread. It keeps the process from ending only while it starts, and while it has something to do. */
export class FieldThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, (reply: SliceReply | null) => void>();
  #lastId = 0;
  #isReady = false;
  #hasEnded = false;
  #hasStarted = () => {};
  /** Fulfilled when it is ready, or has ended. */
  readonly started = new Promise<void>((resolve) => {
    this.#hasStarted = resolve;
  });

  /** @throws what the process may not do: under Node's permission model it may lack the right to start threads */
  constructor() {
    // Neither the flags nor the environment of this process, which may hold keys, are the thread's business.
    this.#worker = new Worker(workerUrl(), { name: 'fieldseal', execArgv: [], env: {} });
    this.#worker.on('message', (message: Ready | SliceReply) => {
      if (message !== 'ready') return this.#answer(message.id, message);
      this.#isReady = true;
      this.#hasStarted();
      this.#worker.unref();
    });
    for (const event of ['error', 'messageerror', 'exit']) this.#worker.on(event, () => this.end());
  }

  /** How many slices it has been given and not answered. */
  get load(): number {
    return this.#pending.size;
  }

  /** Whether it was loaded: one that ended before could not be started. */
  get isReady(): boolean {
    return this.#isReady;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Has the slice worked on; `keys` is copied, `texts` handed over. Null when the thread ended before it answered. */
  run({ keys, ...work }: SliceWork): Promise<SliceReply | null> {
    if (this.#hasEnded) return Promise.resolve(null);
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#pending.set(id, resolve);
      try {
        const request: SliceRequest = { ...work, id, keys: keys.slice() };
        this.#worker.ref();
        this.#worker.postMessage(request, [request.keys.buffer, request.texts.buffer]);
      } catch {
        // Out of memory, for one: the caller does the slice itself.
        this.#answer(id, null);
      }
    });
  }

  /** Ends the thread at once; what it has not answered is answered with null. */
  end(): void {
    this.#hasEnded = true;
    this.#hasStarted();
    for (const resolve of this.#pending.values()) resolve(null);
    this.#pending.clear();
    void this.#worker.terminate();
  }

  #answer(id: number, reply: SliceReply | null): void {
    const resolve = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker.unref();
    resolve?.(reply);
  }
}
