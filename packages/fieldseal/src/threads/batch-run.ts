/**
 * A batch worked on slice by slice, by this thread or by others, while everything else in this thread has its turn in
 * between. What comes out is what one blocking call would have returned.
 */

import type { BatchResult, Hashing } from '../core/batch.js';
import { slicesOf } from '../core/batch-slices.js';
import { decryptMany, encryptMany } from '../core/fernet-batch.js';
import type { FernetKey } from '../core/fernet-key.js';
import type { ErrorCode } from '../errors.js';
import type { SliceReply } from './field-worker.js';
import { packTexts, unpackTexts } from './packed-texts.js';
import { leastBusyThread, runInThread, startThreads, threadsStarted } from './thread-pool.js';

/**
 * A batch that is larger than so many slices is one for threads. These are 12 ms of work in turns of 1.5 ms; on a busy
 * machine with two processors, two threads that were running already took 15 ms for them.
 */
const MAX_SLICES_HERE = 8;
/**
 * Handing a slice out and taking it back costs this thread a quarter of what the work on it would, a tenth of that
 * whatever is in it: slices twice as large took 5 to 10 % off the processor time of a batch.
 */
export const TIMES_FOR_THREADS = 2;
/** So many slices are on their way to each thread, so that none waits while this one is busy with something else. */
const SLICES_A_THREAD = 4;

/** What is done to a batch, and by whom. */
export interface BatchOrder {
  readonly kind: 'encrypt' | 'decrypt';
  /** The keys of the snapshot that the call began with, the primary first. */
  readonly keys: readonly FernetKey[];
  /** A copy of the bytes of the same keys, 32 each, for other threads; it is erased when the batch is done. */
  readonly copyKeyBytes: () => Uint8Array<ArrayBuffer>;
  readonly hashing: Hashing;
  /** How many threads may work on it; 0 for this one alone. */
  readonly threads: number;
}

/** What became of a batch. */
export interface BatchOutcome {
  readonly values: (string | null)[];
  /** The code of the first failure; null when there is none. */
  readonly firstCode: ErrorCode | null;
  /** The places of all failures, in order. */
  readonly failedIndexes: readonly number[];
}

let lastTurn: Promise<void> = Promise.resolve();

/**
 * Waits until all else that is ready in this thread has had its turn: one slice of all batches that are under way is
 * done between two turns of the event loop, however many they are.
 */
function turn(): Promise<void> {
  lastTurn = lastTurn.then(() => new Promise((resolve) => setImmediate(resolve)));
  return lastTurn;
}

/** A batch on its way. */
class BatchRun {
  readonly #order: BatchOrder;
  /** The batch as it was when the call began; slice by slice, the results take the places of the values. */
  readonly values: (string | null)[];
  firstCode: ErrorCode | null = null;
  readonly failedIndexes: number[] = [];
  /** Null when the batch is none for threads. */
  readonly #keyBytes: Uint8Array<ArrayBuffer> | null;

  constructor(order: BatchOrder, given: readonly (string | null)[]) {
    this.#order = order;
    this.values = Array.from(given);
    const isForThreads = order.threads > 0 && isLargerThan(MAX_SLICES_HERE, this.values);
    this.#keyBytes = isForThreads ? order.copyKeyBytes() : null;
  }

  get isForThreads(): boolean {
    return this.#keyBytes !== null;
  }

  end(): void {
    this.#keyBytes?.fill(0);
  }

  /** Sends the slice to another thread. Null when this one has to work on it: no other is ready, or a value is no text. */
  send(start: number, end: number): Promise<SliceReply | null> | null {
    const { kind, hashing, threads } = this.#order;
    const keys = this.#keyBytes;
    const thread = keys && leastBusyThread(threads);
    const texts = thread && packTexts(this.values.slice(start, end));
    return texts && runInThread(thread, { kind, keys, hashing, texts });
  }

  /** Puts the results in place of the slice's values; where another thread has made none, they are made here. */
  finish(start: number, end: number, reply: SliceReply | null): void {
    const { values, failures } = reply
      ? { values: unpackTexts(reply.texts), failures: reply.failures }
      : this.#runHere(this.values.slice(start, end));
    // By its index: pairs of index and value would be a quarter more to allocate.
    for (let i = 0; i < values.length; i++) this.values[start + i] = values[i] as string | null;
    for (const { index, code } of failures) {
      this.firstCode ??= code;
      this.failedIndexes.push(start + index);
    }
  }

  #runHere(slice: readonly (string | null)[]): BatchResult {
    const { kind, keys, hashing } = this.#order;
    return kind === 'decrypt' ? decryptMany(keys, slice, hashing) : encryptMany(keys[0] as FernetKey, slice, hashing);
  }
}

/** Whether the batch is more than so many slices would hold. */
function isLargerThan(slices: number, values: readonly unknown[]): boolean {
  const [first] = slicesOf(values, slices);
  return first !== undefined && (first.isTooLarge || first.end < values.length);
}

/** Works on a batch. The values, the keys and the order are as they were at the call, whatever becomes of them. */
export async function runBatchInSlices(order: BatchOrder, given: readonly (string | null)[]): Promise<BatchOutcome> {
  const run = new BatchRun(order, given);
  if (run.isForThreads) startThreads(order.threads);
  const most = run.isForThreads ? order.threads * SLICES_A_THREAD : 1;
  // In the order of their places, which is the order in which they are finished.
  const sent: { start: number; end: number; reply: Promise<SliceReply | null> | null }[] = [];
  const finishFirst = async () => {
    const first = sent.shift();
    if (!first) return;
    const reply = await first.reply;
    await turn();
    run.finish(first.start, first.end, reply);
  };
  try {
    for (const { start, end, isTooLarge } of slicesOf(run.values, run.isForThreads ? TIMES_FOR_THREADS : 1)) {
      // A large value is not begun here only because no thread has started yet, and does not queue, for the sake of the
      // memory that it takes. What is left to this thread is not put off until the others have finished.
      if (isTooLarge && run.isForThreads) await threadsStarted();
      const room = isTooLarge && run.isForThreads ? order.threads : most;
      while (sent.length >= room || sent[0]?.reply === null) await finishFirst();
      await turn();
      sent.push({ start, end, reply: run.send(start, end) });
    }
    while (sent.length > 0) await finishFirst();
  } finally {
    run.end();
    // None is left but after an error, and nobody will read it.
    for (const { reply } of sent) void reply?.then((unread) => unread?.texts.fill(0));
  }
  return run;
}
