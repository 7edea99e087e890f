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
import { decodeRowKey, encodeRowKey } from './row-key.js';
import { rowWork } from './row-work.js';
import type { Awaitable, BatchWork, RangePart, SweepDatabase, SweptRow } from './sweep-database.js';
import type { SweptTable } from './swept-table.js';
import type { Tally } from './tally.js';
import type { Transform } from './transform.js';

/** Rows read and written at once: a write lock of a few milliseconds. */
const BATCH_ROWS = 500;
/** Each try has waited 5 seconds for the lock already. */
const BUSY_TRIES = 12;

/** How fast, and until when. */
export interface Pace {
  /** Aborted: stop after the batch that is under way. */
  readonly stop: AbortSignal;
  /** Null: as fast as it goes. */
  readonly maxRowsPerSecond: number | null;
}

/** A range as it is walked. */
export interface WalkedRange {
  readonly table: SweptTable;
  readonly part: RangePart;
  readonly cursor: string | null;
  readonly tally: Tally;
}

/** Commits a batch with its checkpoint (or, in a dry run, only counts) and returns the range's counts after it. */
export type CommitBatch = (
  rows: readonly SweptRow[],
  work: BatchWork,
  checkpoint: { readonly cursor: string | null; readonly done: boolean; readonly tally: Tally },
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

async function retryBusy<T>(work: () => Awaitable<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const isBusy = isFieldsealError(error) && error.code === 'ERR_DATABASE_BUSY';
      if (!isBusy || tries === BUSY_TRIES) throw error;
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
  const names = rows.flatMap(({ values, context }) => {
    const hasValue = fields.some((field, i) => field.needsSubject && values[i] !== null);
    const name = hasValue ? subjectOf(bound, context) : null;
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

/**
 * Walks a range to its end.
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
  const work = rowWork(table, ring, transform, { canStore: (text) => database.canStore(text), subjects });
  let cursor = range.cursor === null ? null : decodeRowKey(range.cursor);
  let tally = range.tally;
  for (;;) {
    if (pace.stop.aborted)
      throw new FieldsealError('ERR_RUN_STOPPED', 'The sweep was stopped; start it again to go on.');
    const startedMs = performance.now();
    const { rows, committed } = await batchOf();
    const done = rows.length < BATCH_ROWS;
    cursor = rows.at(-1)?.key ?? cursor;
    tally = committed;
    if (done) return tally;
    const { maxRowsPerSecond } = pace;
    const waitMs =
      maxRowsPerSecond === null ? 0 : (rows.length / maxRowsPerSecond) * 1000 - (performance.now() - startedMs);
    // Other work of this process, signals among it, gets its turn; an abort ends the wait at once.
    if (waitMs > 0) await setTimeout(waitMs, undefined, { signal: pace.stop }).catch(() => {});
    else await setImmediate();
  }

  /**
   * Reads and commits one batch. A row that got another subject meanwhile wants a key that is not loaded: then the subjects
   * of now are loaded too, and the same rows are committed once more, since a part of them may be by then.
   */
  async function batchOf(): Promise<{ rows: readonly SweptRow[]; committed: Tally }> {
    const readOf = (limit: number) => retryBusy(() => database.read(table, part, cursor, limit));
    const rows = await readOf(BATCH_ROWS);
    const last = rows.at(-1)?.key ?? cursor;
    const checkpoint = { cursor: last && encodeRowKey(last), done: rows.length < BATCH_ROWS, tally };
    let known = rows;
    for (let tries = 1; ; tries++) {
      await loadSubjects(context, table, known);
      try {
        return { rows, committed: await retryBusy(() => commit(rows, work, checkpoint)) };
      } catch (error) {
        const isUnprepared = isFieldsealError(error) && error.code === 'ERR_SUBJECT_KEY_NOT_LOADED';
        if (!isUnprepared || tries === BUSY_TRIES) throw error;
      }
      // Twice as many: rows may have come in between.
      known = [...rows, ...(await readOf(2 * BATCH_ROWS))];
    }
  }
}
