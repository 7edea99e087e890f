/** A batch of values on its way through a chunk of memory: what came of each, and what computes its HMACs. */
import { getFips } from 'node:crypto';
import { type ErrorCode, isFieldsealError } from '../errors.js';
import { FernetChunk } from './fernet-chunk.js';
import { HmacLanes } from './hmac-lanes.js';

/** A value of a batch that could not be worked on. */
export interface BatchFailure {
  /** Its place in the batch. */
  readonly index: number;
  readonly code: ErrorCode;
}

/** What became of a batch. */
export interface BatchResult<T = string> {
  /** As many as were given, in their order; null in the place of a null, and of a failure. */
  readonly values: (T | null)[];
  /** In the order of their places. */
  readonly failures: readonly BatchFailure[];
}

/**
 * What computes a batch's HMACs: `lanes`, WebAssembly where it may (hmac-lanes.ts), or only ever node:crypto, `native`.
 */
export type Hashing = 'lanes' | 'native';

/** Whether batches may hash in WebAssembly: `FIELDSEAL_WASM=0` in an environment says that they may not. */
export function hashingOf(env: { readonly [name: string]: string | undefined } = process.env): Hashing {
  return env['FIELDSEAL_WASM'] === '0' ? 'native' : 'lanes';
}

// Out of reach while it is used: a batch that begins inside another (nothing in here calls back, but should that
// change) gets a chunk of its own.
const idleChunks: Record<Hashing, FernetChunk | null> = { lanes: null, native: null };

/** A batch on its way. */
export class Batch<T = string> {
  readonly chunk: FernetChunk;
  /** The batch as it was when the call began: reading it may run the caller's code, which may begin a batch, too. */
  readonly inputs: readonly unknown[];
  readonly values: (T | null)[];
  readonly failures: BatchFailure[] = [];

  constructor(chunk: FernetChunk, inputs: readonly unknown[]) {
    this.chunk = chunk;
    this.inputs = inputs;
    this.values = new Array<T | null>(inputs.length).fill(null);
  }

  fail(index: number, code: ErrorCode): void {
    this.failures.push({ index, code });
  }

  /** Runs `work` for one value, and takes its result or its refusal. */
  attempt(index: number, work: () => T): void {
    try {
      this.values[index] = work();
    } catch (error) {
      if (!isFieldsealError(error)) throw error;
      this.fail(index, error.code);
    }
  }

  /** The positions of all tokens of the chunk. */
  positions(): number[] {
    const positions: number[] = [];
    for (let position = 0; position < this.chunk.count; position++) positions.push(position);
    return positions;
  }
}

/** Runs `work` over a copy of what was given, with a chunk that nobody else uses meanwhile. */
export function runBatch<T = string>(
  given: readonly unknown[],
  wanted: Hashing,
  work: (batch: Batch<T>) => void,
): BatchResult<T> {
  const inputs = Array.from(given);
  const hashing = wanted === 'lanes' && getFips() === 0 ? 'lanes' : 'native';
  const chunk = idleChunks[hashing] ?? new FernetChunk(hashing === 'lanes' ? HmacLanes.open() : null);
  idleChunks[hashing] = null;
  const batch = new Batch<T>(chunk, inputs);
  try {
    work(batch);
  } catch (error) {
    // Whatever the chunk's state is, nobody sees it again.
    chunk.erase();
    throw error;
  }
  chunk.clear();
  idleChunks[hashing] = chunk;
  batch.failures.sort((a, b) => a.index - b.index);
  return { values: batch.values, failures: batch.failures };
}
