/**
 * Lanes: each claims a range of a run's present pass, walks it to its end, and claims the next. Any number of processes do
 * that at once; what a range commits under an old fence is refused, so that no two of them count a row.
 */
import { type FieldsealError, isFieldsealError, type KeyringSnapshot } from 'fieldseal';
import type { RunKind, Store, SweepRange } from '../store/store.js';
import { HEARTBEAT_MS, LEASE_SECONDS } from './lease.js';
import { type CommitBatch, type Pace, type SweptSubjects, walkRange } from './range-walk.js';
import type { SweepDatabase } from './sweep-database.js';
import { countedColumns, type SweptTable, tableNamed } from './swept-table.js';
import { emptyTally, type Tally } from './tally.js';
import { TRANSFORMS, type Transform, verifyingTransform } from './transform.js';

/** What one lane works with, and nobody else meanwhile. */
export interface Lane {
  readonly database: SweepDatabase;
  /** Loads the keys of rows' subjects; null where no declared column needs one. */
  readonly subjects: SweptSubjects | null;
}

/** What a process works on a run with. */
export interface LaneContext {
  readonly kind: RunKind;
  readonly tables: readonly SweptTable[];
  readonly ring: KeyringSnapshot;
  readonly lanes: readonly Lane[];
  readonly pace: Pace;
}

/** What is told, and asked, while ranges are walked. */
export interface RangeEvents {
  /** The range's counts, after each batch. */
  onTally(range: SweepRange, tally: Tally): void;
  /** A range is another's by now. Throws when this process has no part in the run any more. */
  onLost(): Promise<void>;
}

/** Which process claims ranges. */
export interface RangeWorker {
  readonly owner: string;
  /** A digest of the declaration that its tables are of. */
  readonly declaration: string;
  /** True only for an owner whose process has ended for certain. */
  isGone(owner: string): boolean;
}

/** What a pass does to values: odd ones write, even ones count. */
export function passTransform(kind: RunKind, pass: number): Transform {
  return isVerifying(kind, pass) ? verifyingTransform(kind) : TRANSFORMS[kind];
}

export function isVerifying(kind: RunKind, pass: number): boolean {
  return kind === 'verify' || pass % 2 === 0;
}

/** A range's counts, with every counted column of its table. */
export function tallyOf(tables: readonly SweptTable[], { tableName, counts }: SweepRange): Tally {
  return { ...emptyTally(countedColumns(tableNamed(tables, tableName))), ...(JSON.parse(counts) as Tally) };
}

/** Workers of the run's ranges whose processes have ended: their leases are not waited for. */
export async function goneWorkers(
  store: Store,
  runId: number,
  { isGone }: Pick<RangeWorker, 'isGone'>,
): Promise<string[]> {
  return (await store.ranges.owners(runId)).filter(isGone);
}

/**
 * Walks ranges of the run until none is left to be claimed; others may still be at work on some. A range that another has
 * taken over is theirs.
 * @throws FieldsealError `ERR_RUN_STOPPED` after the batches during which `pace.stop` was aborted, `ERR_RUN_LOST` when the run
 * is not under way any more; the first error of any lane, once all have ended
 */
export async function walkRanges(
  store: Store,
  runId: number,
  worker: RangeWorker,
  context: LaneContext,
  events: RangeEvents,
): Promise<void> {
  const failing = new AbortController();
  const stop = AbortSignal.any([context.pace.stop, failing.signal]);
  const errors: unknown[] = [];
  const lanes = context.lanes.map(async (lane) => {
    try {
      while (!stop.aborted) {
        const gone = await goneWorkers(store, runId, worker);
        const range = await store.ranges.claim(runId, worker, LEASE_SECONDS, gone);
        if (!range) return;
        await walkClaimed(store, range, { ...context, pace: { ...context.pace, stop } }, lane, events);
      }
    } catch (error) {
      errors.push(error);
      failing.abort();
    }
  });
  await Promise.all(lanes);
  if (errors.length > 0) throw errors[0];
}

async function walkClaimed(
  store: Store,
  range: SweepRange,
  { kind, tables, ring, pace }: LaneContext,
  { database, subjects }: Lane,
  { onTally, onLost }: RangeEvents,
): Promise<void> {
  const { id, runId, fence, part, cursor, upper } = range;
  const table = tableNamed(tables, range.tableName);
  const tally = tallyOf(tables, range);
  const commit: CommitBatch = async (rows, work, checkpoint) => {
    const counted = await database.commit(table, part, rows, work, { ...checkpoint, runId, rangeId: id, fence });
    onTally(range, counted);
    return counted;
  };
  // A batch prolongs the lease by itself; a wait does not, and ends when there is nothing to wait for any more. A heartbeat
  // that is lost changes nothing: the fence decides.
  const gone = new AbortController();
  const stop = AbortSignal.any([pace.stop, gone.signal]);
  const heartbeat = setInterval(async () => {
    const isOurs = await store.ranges.heartbeat(id, fence, LEASE_SECONDS).catch(() => true);
    if (!isOurs) gone.abort();
  }, HEARTBEAT_MS);
  try {
    await walkRange(
      { database, ring, subjects, pace: { ...pace, stop } },
      { table, part, cursor, upper, tally },
      passTransform(kind, range.pass),
      commit,
    );
  } catch (error) {
    // Somebody else's by now, or the run is stopped: the next claim tells which.
    if (isCode(error, 'ERR_RUN_LOST') || (gone.signal.aborted && !pace.stop.aborted)) return onLost();
    // The database may be what failed; then the lease runs out.
    await store.ranges.release(id, fence).catch(() => {});
    throw error;
  } finally {
    clearInterval(heartbeat);
  }
}

function isCode(error: unknown, code: FieldsealError['code']): boolean {
  return isFieldsealError(error) && error.code === code;
}
