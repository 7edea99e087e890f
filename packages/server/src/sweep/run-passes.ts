/**
 * The passes of one run: sweep, verify, and again until the verifying pass finds nothing left. Odd passes write, even
 * ones count; a `verify` run has one pass, which counts. The run's driver decides that here; the ranges of a pass are walked
 * by this process and by any other that helps.
 */
import { setTimeout } from 'node:timers/promises';
import type { NewRange, RecordCounts, Run, Store, SweepRange } from '../store/store.js';
import { lostRun } from './lease.js';
import {
  isVerifying,
  type Lane,
  type LaneContext,
  passTransform,
  type RangeWorker,
  tallyOf,
  walkRanges,
} from './range-lanes.js';
import { stoppedSweep, walkRange } from './range-walk.js';
import { encodeRowKey } from './row-key.js';
import { countedColumns, type SweptTable, sweptColumns } from './swept-table.js';
import { emptyTally, NO_RECORDS, sumCounts, sumHeld, type Tally } from './tally.js';
import { type FailureReason, leftToDo } from './transform.js';

/** Sweeping passes: what is still left after these is reported, not chased for ever. */
const MAX_SWEEPS = 3;
const COUNT_ROWS = 10_000;
/** So many counted batches are a range: 50,000 rows, and from the hundredth range of a table on 250,000. */
const COUNTS_A_RANGE = 5;
const COUNTS_A_LATER_RANGE = 25;
const LATER = 100;
/** How soon it is noticed what others have done. */
const TICK_MS = 1_000;

/** How far a pass is. */
export interface SweepProgress {
  readonly pass: number;
  readonly verifying: boolean;
  readonly table: string;
  /** Records done in this pass, by all who work on it. */
  readonly done: number;
  /** Records that there were when the pass began; more may have come. */
  readonly total: number;
}

/** What the passes of one run work with. */
export interface PassContext extends LaneContext {
  readonly newKeyVersion: string | null;
  readonly worker: RangeWorker;
  readonly onProgress: (progress: SweepProgress) => void;
}

/** One range's tally with its table's name. */
export interface RangeTally {
  readonly table: string;
  readonly tally: Tally;
}

/** What the passes came to. */
export interface PassesResult {
  /** The ranges of the first pass, which met every record once. */
  readonly first: readonly RangeTally[];
  /** Records rewritten by later sweeping passes: rows that came in behind the cursor. */
  readonly late: number;
  /** The ranges of the last pass. */
  readonly last: readonly RangeTally[];
  readonly left: number;
  readonly passes: number;
}

function parts(tables: readonly SweptTable[]): { table: SweptTable; part: SweepRange['part'] }[] {
  return tables.flatMap((table) => [
    { table, part: 'key' as const },
    ...(table.rowidName === null ? [] : [{ table, part: 'null-key' as const }]),
  ]);
}

/**
 * Counts the records ahead of a sweep, a batch at a time, and cuts the tables into ranges on the way.
 * @throws FieldsealError `ERR_RUN_STOPPED`
 */
async function countAndCut({ lanes, tables, pace }: PassContext): Promise<{ records: number; ranges: NewRange[] }> {
  const { database } = lanes[0] as Lane;
  const ranges: NewRange[] = [];
  let records = 0;
  for (const { table, part } of parts(tables)) {
    const first = ranges.length;
    let cursor: string | null = null;
    const cut = (upper: string | null) => {
      ranges.push({ pass: 1, seq: ranges.length, tableName: table.name, part, cursor, upper });
      cursor = upper;
    };
    let batch = await database.count(table, part, null, COUNT_ROWS);
    for (let counts = 1; batch; counts++) {
      if (pace.stop.aborted) throw stoppedSweep();
      records += batch.records;
      const { last } = batch;
      batch = await database.count(table, part, last, COUNT_ROWS);
      const enough = ranges.length - first < LATER ? COUNTS_A_RANGE : COUNTS_A_LATER_RANGE;
      if (!batch || !database.hasRanges || counts < enough) continue;
      cut(encodeRowKey(last));
      counts = 0;
    }
    // The last one has no end: rows may come behind what was counted.
    cut(null);
  }
  return { records, ranges };
}

/** The same ranges for another pass: each begins where the one before it in its part of the table ends. */
function rangesAgain(ranges: readonly SweepRange[], pass: number): NewRange[] {
  return ranges.map(({ seq, tableName, part, upper }, i) => {
    const before = ranges[i - 1];
    const follows = before?.tableName === tableName && before.part === part;
    return { pass, seq, tableName, part, cursor: follows ? before.upper : null, upper };
  });
}

function sumRecords(tallies: Iterable<RangeTally>): RecordCounts {
  return sumCounts([...tallies].flatMap(({ tally }) => Object.values(tally)));
}

function recordsIn(tally: Tally): number {
  return sumCounts(Object.values(tally)).total;
}

/** A record that could not be read. */
export interface Unreadable {
  readonly table: string;
  readonly column: string;
  readonly reason: FailureReason;
}

/** A dry run: one pass in memory, which writes nothing at all. */
export async function dryRunPass(
  context: PassContext,
  onUnreadable: (record: Unreadable) => void,
): Promise<PassesResult> {
  const { kind, tables, ring, pace, onProgress } = context;
  const lane = context.lanes[0] as Lane;
  const { records } = await countAndCut(context);
  const tallies: RangeTally[] = [];
  let before = 0;
  for (const { table, part } of parts(tables)) {
    const tell = (tally: Tally) => {
      const done = before + recordsIn(tally);
      onProgress({ pass: 1, verifying: kind === 'verify', table: table.name, done, total: Math.max(done, records) });
    };
    const range = { table, part, cursor: null, upper: null, tally: emptyTally(countedColumns(table)) };
    tell(range.tally);
    const tally = await walkRange({ ...lane, ring, pace }, range, passTransform(kind, 1), (rows, work, checkpoint) => {
      const counted = structuredClone(checkpoint.tally);
      for (const done of work(rows)) {
        done.count(counted);
        for (const { columnIndex, reason } of done.failures) {
          onUnreadable({ table: table.name, column: sweptColumns(table)[columnIndex] as string, reason });
        }
      }
      tell(counted);
      return counted;
    });
    before += recordsIn(tally);
    tallies.push({ table: table.name, tally });
  }
  return { first: tallies, late: 0, last: tallies, left: 0, passes: 1 };
}

/** Has `tick` done every second until `work` has ended, and not once more after that. */
async function ticking(work: Promise<void>, tick: () => Promise<void>): Promise<void> {
  const ended = new AbortController();
  const next = () => setTimeout(TICK_MS, true, { signal: ended.signal }).catch(() => false);
  const ticks = (async () => {
    while (await next()) await tick();
  })();
  try {
    await work;
  } finally {
    ended.abort();
    await ticks;
  }
}

/**
 * Walks what is left of a pass, here and wherever else somebody helps, until all of it is done.
 * @throws FieldsealError `ERR_RUN_STOPPED`, and what `assertDriver` throws when the run is no longer this driver's
 */
async function walkPass(
  store: Store,
  runId: number,
  pass: number,
  total: number,
  context: PassContext,
  assertDriver: () => Promise<void>,
): Promise<RangeTally[]> {
  const { kind, tables, worker, onProgress } = context;
  const known = new Map<number, RangeTally>();
  let done = 0;
  const learn = (range: SweepRange, tally: Tally) => {
    done += recordsIn(tally) - recordsIn(known.get(range.id)?.tally ?? {});
    known.set(range.id, { table: range.tableName, tally });
  };
  const tell = ({ tableName }: SweepRange) => {
    const verifying = isVerifying(kind, pass);
    onProgress({ pass, verifying, table: tableName, done, total: Math.max(done, total) });
  };
  /** What this process walks, it knows better than the range's row, which was read a moment ago. */
  const look = async () => {
    const ranges = await store.ranges.list(runId, pass);
    for (const range of ranges) {
      if (range.owner !== worker.owner || !known.has(range.id)) learn(range, tallyOf(tables, range));
    }
    return ranges;
  };
  for (;;) {
    const ranges = await look();
    const [first] = ranges.filter(({ state }) => state !== 'done');
    // Of a pass that is over, the range's rows are the whole truth.
    if (!first) return ranges.map((range) => ({ table: range.tableName, tally: tallyOf(tables, range) }));
    // Where this process takes over: what it counts its rate from.
    tell(first);
    const onTally = (range: SweepRange, tally: Tally) => {
      learn(range, tally);
      tell(range);
    };
    const walking = walkRanges(store, runId, worker, context, { onTally, onLost: assertDriver });
    // What others have done shows as well. While the database is away, whoever writes to it finds that out.
    await ticking(walking, async () => void (await look().catch(() => {})));
    if (context.pace.stop.aborted) throw stoppedSweep();
    await assertDriver();
    if ((await look()).some(({ state }) => state !== 'done')) {
      // Others are at work on the rest. Where they are gone, their ranges can be claimed once their leases are over.
      await setTimeout(TICK_MS, undefined, { signal: context.pace.stop }).catch(() => {});
    }
  }
}

/**
 * Drives a claimed run from its checkpoint to the end of its passes.
 * @throws FieldsealError `ERR_RUN_STOPPED`, `ERR_RUN_LOST`
 */
export async function runPasses(store: Store, run: Run, fence: number, context: PassContext): Promise<PassesResult> {
  const keep = async (change: Parameters<Store['runs']['update']>[2]) => {
    if (!(await store.runs.update(run.id, fence, change))) throw lostRun(run.id);
  };
  let total = run.counts.total;
  let first: RangeTally[] = [];
  let late = 0;
  for (let pass = 1; ; pass++) {
    if ((await store.ranges.list(run.id, pass)).length === 0) {
      let ranges: NewRange[];
      if (pass === 1) {
        ({ records: total, ranges } = await countAndCut(context));
        await keep({ counts: { ...NO_RECORDS, total } });
      } else ranges = rangesAgain(await store.ranges.list(run.id, 1), pass);
      if (!(await store.ranges.create(run.id, fence, ranges))) throw lostRun(run.id);
    }
    const isSweep = pass % 2 === 1;
    const tallies = await walkPass(store, run.id, pass, total, context, () => keep({}));
    if (pass === 1) {
      first = tallies;
      total = sumRecords(first).total;
      await keep({ counts: { ...NO_RECORDS, total } });
    } else if (isSweep) late += sumRecords(tallies).rotated;

    const held = sumHeld(tallies.flatMap(({ tally }) => Object.values(tally)));
    const left = isSweep ? Number.POSITIVE_INFINITY : leftToDo(context.kind, context.newKeyVersion, held);
    if (context.kind === 'verify') return { first, late, last: tallies, left: 0, passes: 1 };
    if (left === 0 || pass >= 2 * MAX_SWEEPS) return { first, late, last: tallies, left, passes: pass };
    await keep({ pass: pass + 1 });
  }
}
