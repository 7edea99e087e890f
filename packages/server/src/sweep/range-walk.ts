/** One range, batch after batch, until it is done or the sweep is to stop. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import {
  type ContextRow,
  type Field,
  FieldsealError,
  isFieldsealError,
  type KeyringSnapshot,
  type SubjectSource,
} from 'fieldseal';
import { type Brake, LOCKED, restMs, SLOW } from './brake.js';
import { decodeRowKey, encodeRowKey, type RowKey } from './row-key.js';
import { rowWork } from './row-work.js';
import type {
  Awaitable,
  BatchWork,
  Checkpoint,
  RangePart,
  RowWork,
  SweepDatabase,
  SweptRow,
} from './sweep-database.js';
import type { SweptTable } from './swept-table.js';
import type { Tally } from './tally.js';
import type { Transform } from './transform.js';

/** Rows of the first batch; later ones have as many as the database writes in its `batchMs`, and never fewer. */
const FEWEST_ROWS = 500;
/** Rows deciphered at once; in between other work of this process gets its turn. */
const CHUNK_ROWS = 250;
/** Of batches that are larger, only one is in memory at a time. */
const MOST_AHEAD_CHARACTERS = 8 * 1024 * 1024;
/** Each try has waited 5 seconds for the lock already. */
const BUSY_TRIES = 12;

/** How fast, and until when. */
export interface Pace {
  /** Aborted: stop after the batch that is under way. */
  readonly stop: AbortSignal;
  /** Null: as fast as it goes. */
  readonly maxRowsPerSecond: number | null;
  /** Shared by all lanes of the process. */
  readonly brake?: Brake | null;
}

/** A range as it is walked. */
export interface WalkedRange {
  readonly table: SweptTable;
  readonly part: RangePart;
  /** As a range keeps them. */
  readonly cursor: string | null;
  readonly upper: string | null;
  readonly tally: Tally;
}

/** Commits a batch with its checkpoint (or, in a dry run, only counts) and returns the range's counts after it. */
export type CommitBatch = (
  rows: readonly SweptRow[],
  work: BatchWork,
  checkpoint: Pick<Checkpoint, 'from' | 'cursor' | 'done' | 'tally'>,
) => Awaitable<Tally>;

/** The keys of subjects, as a sweep uses them. */
export interface SweptSubjects extends SubjectSource {
  /** Makes the keys of these subjects known to `get`; erased ones and those without a key are then refused by it. */
  prepare(names: readonly { readonly tenant: string; readonly subject: string }[]): Promise<void>;
}

/** What a range is walked with. */
export interface WalkContext {
  readonly database: SweepDatabase;
  readonly ring: KeyringSnapshot;
  readonly subjects: SweptSubjects | null;
  readonly pace: Pace;
}

/** What a sweep ends with that is asked to stop. */
export function stoppedSweep(): FieldsealError {
  return new FieldsealError('ERR_RUN_STOPPED', 'The sweep was stopped; start it again to go on.');
}

async function retryBusy<T>(work: () => Awaitable<T>, onBusy?: () => Promise<void>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const isBusy = isFieldsealError(error) && error.code === 'ERR_DATABASE_BUSY';
      if (!isBusy || tries === BUSY_TRIES) throw error;
      await onBusy?.();
      await setImmediate();
    }
  }
}

/** Loads the keys of the subjects of some rows. */
async function loadSubjects(
  { subjects }: WalkContext,
  { fields }: SweptTable,
  rows: readonly SweptRow[],
): Promise<void> {
  const bound = fields.find((field) => field.needsSubject);
  if (!subjects || !bound) return;
  const names = rows.flatMap((row) => {
    const hasValue = fields.some((field, i) => field.needsSubject && row.values[i] !== null);
    const name = hasValue ? subjectOf(bound, row.context) : null;
    return name ? [name] : [];
  });
  await subjects.prepare(names);
}

/** The row's subject; null also for one that names nobody, such as the empty text: each of its values is told as such. */
function subjectOf(field: Field<unknown>, context: ContextRow) {
  try {
    return field.subjectIn(context);
  } catch (error) {
    if (isFieldsealError(error) && error.code === 'ERR_CONTEXT_TYPE') return null;
    throw error;
  }
}

/** Rows as they were read, and what is to be done to them; null: that could not be told yet. */
interface Batch {
  readonly rows: readonly SweptRow[];
  /** Behind what it was read, and the key of its last row. */
  readonly from: RowKey | null;
  readonly cursor: RowKey | null;
  readonly isLast: boolean;
  readonly works: readonly RowWork[] | null;
  /** The keys of subjects that these were made with: an erasure makes them anew. */
  readonly generation?: number | undefined;
}

/** How much the values of rows take, in characters or bytes. */
function characters(rows: readonly SweptRow[]): number {
  let sum = 0;
  for (const { values } of rows) {
    for (const value of values) if (typeof value === 'string' || Buffer.isBuffer(value)) sum += value.length;
  }
  return sum;
}

/** How many rows a batch has next, when the last full one of `rows` took that long: at most twice as many, or half. */
function nextRows(rows: number, tookMs: number, { batchMs, batchRows }: SweepDatabase): number {
  const factor = Math.min(2, Math.max(0.5, batchMs / tookMs));
  return Math.min(batchRows, Math.max(FEWEST_ROWS, Math.round(rows * factor)));
}

/**
 * Walks a range to its end. Where the database can do both at once, the next rows are read and deciphered while a batch is
 * written; no lock is held for any of that.
 * @throws FieldsealError `ERR_RUN_STOPPED` after the batch during which `pace.stop` was aborted; what is committed stays
 */
export async function walkRange(
  context: WalkContext,
  range: WalkedRange,
  transform: Transform,
  commit: CommitBatch,
): Promise<Tally> {
  const { database, ring, subjects, pace } = context;
  const { table, part } = range;
  const { maxRowsPerSecond, brake = null } = pace;
  /** By which the brake knows this walk. */
  const self = {};
  const work = rowWork(table, ring, transform, { canStore: (text) => database.canStore(text), subjects });
  const isAhead = ({ rows, isLast }: Batch) =>
    database.readsAhead && maxRowsPerSecond === null && !isLast && characters(rows) <= MOST_AHEAD_CHARACTERS;
  let batchRows = FEWEST_ROWS;
  let readFrom = range.cursor === null ? null : decodeRowKey(range.cursor);
  const upper = range.upper === null ? null : decodeRowKey(range.upper);
  let tally = range.tally;
  let wasSlow = false;
  let reading: Promise<Batch> | null = null;
  let preparing: Promise<Batch> | null = null;
  try {
    for (;;) {
      await brake?.hold(pace.stop);
      if (pace.stop.aborted) throw stoppedSweep();
      const startedMs = performance.now();
      const batch: Batch = await (preparing ?? prepared());
      const committingFromMs = performance.now();
      const committing = commitBatch(batch);
      preparing = isAhead(batch) ? quietly(prepared()) : null;
      tally = await committing;
      if (batch.isLast) return tally;
      const committedMs = performance.now();
      const pacedMs =
        maxRowsPerSecond === null ? 0 : (batch.rows.length / maxRowsPerSecond) * 1000 - (committedMs - startedMs);
      const slowMs = brake ? restMs(committedMs - committingFromMs, database.batchMs, characters(batch.rows)) : 0;
      // One alone may have met a hiccup, or have been too large: the next has half its rows.
      const rests = wasSlow && slowMs > 0;
      wasSlow = slowMs > 0;
      await brake?.say(self, rests ? SLOW : null);
      const waitMs = rests ? Math.max(pacedMs, slowMs) : pacedMs;
      // Other work of this process, signals among it, gets its turn; an abort ends the wait at once.
      if (waitMs > 0) await setTimeout(waitMs, undefined, { signal: pace.stop }).catch(() => {});
      else await setImmediate();
    }
  } finally {
    // Nobody is to close a connection on which something is still asked; what is being prepared may ask once more.
    await Promise.allSettled([preparing]);
    await Promise.allSettled([reading]);
    await brake?.say(self, null);
  }

  function readOf(from: RowKey | null, limit: number): Promise<SweptRow[]> {
    return retryBusy(() => database.read(table, part, from, upper, limit));
  }

  async function read(): Promise<Batch> {
    const [from, limit] = [readFrom, batchRows];
    const rows = await readOf(from, limit);
    readFrom = rows.at(-1)?.key ?? from;
    return { rows, from, cursor: readFrom, isLast: rows.length < limit, works: null };
  }

  /** The next batch; meanwhile the one behind it is being read. */
  async function prepared(): Promise<Batch> {
    const batch = await (reading ?? read());
    reading = isAhead(batch) ? quietly(read()) : null;
    await loadSubjects(context, table, batch.rows);
    const works: RowWork[] = [];
    const generation = subjects?.generation;
    for (let first = 0; first < batch.rows.length; first += CHUNK_ROWS) {
      if (first > 0) await setImmediate();
      try {
        works.push(...work(batch.rows.slice(first, first + CHUNK_ROWS)));
      } catch (error) {
        if (!isUnprepared(error)) throw error;
        return batch;
      }
    }
    return { ...batch, works, generation };
  }

  /**
   * Commits a batch. A row that got another subject meanwhile wants a key that is not loaded: then the subjects of now are
   * loaded too, and the same rows are committed once more, since a part of them may be by then.
   */
  async function commitBatch({ rows, from, cursor, isLast, works, generation }: Batch): Promise<Tally> {
    const checkpoint = {
      from: from && encodeRowKey(from),
      cursor: cursor && encodeRowKey(cursor),
      done: isLast,
      tally,
    };
    const known: BatchWork = (asked) =>
      asked === rows && works && subjects?.generation === generation ? works : work(asked);
    for (let tries = 1; ; tries++) {
      const startedMs = performance.now();
      try {
        const committed = await retryBusy(
          () => commit(rows, known, checkpoint),
          async () => brake?.say(self, LOCKED),
        );
        if (!isLast) batchRows = nextRows(rows.length, performance.now() - startedMs, database);
        if (maxRowsPerSecond !== null) batchRows = Math.min(FEWEST_ROWS, batchRows);
        return committed;
      } catch (error) {
        if (!isUnprepared(error) || tries === BUSY_TRIES) throw error;
      }
      // Twice as many: rows may have come in between.
      await loadSubjects(context, table, [...rows, ...(await readOf(from, 2 * rows.length))]);
    }
  }
}

function isUnprepared(error: unknown): boolean {
  return isFieldsealError(error) && error.code === 'ERR_SUBJECT_KEY_NOT_LOADED';
}

/** What fails before somebody waits for it fails when they do. */
function quietly<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
