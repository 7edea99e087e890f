/**
 * The passes of one run: sweep, verify, and again until the verifying pass finds nothing left. Odd passes write, even
 * ones count; a `verify` run has one pass, which counts.
 */
import type { KeyringSnapshot } from 'fieldseal';
import { FieldsealError } from 'fieldseal';
import type { RecordCounts, Run, RunKind, Store, SweepRange } from '../store/store.js';
import { type CommitBatch, type Pace, type SweptSubjects, walkRange } from './range-walk.js';
import type { SweepDatabase } from './sweep-database.js';
import { countedColumns, type SweptTable, sweptColumns } from './swept-table.js';
import { emptyTally, NO_RECORDS, sumCounts, sumHeld, type Tally } from './tally.js';
import { type FailureReason, leftToDo, TRANSFORMS, verifyingTransform } from './transform.js';

/** Sweeping passes: what is still left after these is reported, not chased for ever. */
const MAX_SWEEPS = 3;
const COUNT_ROWS = 10_000;

/** How far a pass is. */
export interface SweepProgress {
  readonly pass: number;
  readonly verifying: boolean;
  readonly table: string;
  /** Records done in this pass. */
  readonly done: number;
  /** Records that there were when the pass began; more may have come. */
  readonly total: number;
}

/** What the passes of one run work with. */
export interface PassContext {
  readonly kind: RunKind;
  readonly newKeyVersion: string | null;
  readonly tables: readonly SweptTable[];
  readonly ring: KeyringSnapshot;
  readonly database: SweepDatabase;
  /** Loads the keys of rows' subjects; null where no declared column needs one. */
  readonly subjects: SweptSubjects | null;
  readonly pace: Pace;
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

type PlannedRange = Pick<SweepRange, 'tableName' | 'part' | 'cursor' | 'state'> & { id: number; tally: Tally };

function parts(tables: readonly SweptTable[]): { tableName: string; part: SweepRange['part'] }[] {
  return tables.flatMap(({ name, rowidName }) => [
    { tableName: name, part: 'key' as const },
    ...(rowidName === null ? [] : [{ tableName: name, part: 'null-key' as const }]),
  ]);
}

function tableOf(context: PassContext, name: string): SweptTable {
  const table = context.tables.find((candidate) => candidate.name === name);
  if (table) return table;
  throw new FieldsealError(
    'ERR_CONFIG_INVALID',
    `The unfinished run sweeps ${name}, which the configuration no longer declares.`,
  );
}

/** Counts the records ahead of a sweep, a batch at a time. */
async function countRecords(context: PassContext): Promise<number> {
  let records = 0;
  for (const { tableName, part } of parts(context.tables)) {
    const table = tableOf(context, tableName);
    let batch = await context.database.count(table, part, null, COUNT_ROWS);
    while (batch && !context.pace.stop.aborted) {
      records += batch.records;
      batch = await context.database.count(table, part, batch.last, COUNT_ROWS);
    }
  }
  return records;
}

function sumRecords(tallies: Iterable<RangeTally>): RecordCounts {
  return sumCounts([...tallies].flatMap(({ tally }) => Object.values(tally)));
}

/** What a pass over all ranges is walked with; `commitFor` says what a batch of a range does. */
async function walkPass(
  context: PassContext,
  pass: number,
  total: number,
  ranges: readonly PlannedRange[],
  commitFor: (table: SweptTable, range: PlannedRange, others: () => readonly RangeTally[]) => CommitBatch,
): Promise<RangeTally[]> {
  const isVerifying = context.kind === 'verify' || pass % 2 === 0;
  const transform = isVerifying ? verifyingTransform(context.kind) : TRANSFORMS[context.kind];
  const tallies = ranges.map(({ tableName, tally }): RangeTally => ({ table: tableName, tally }));
  for (const [i, range] of ranges.entries()) {
    if (range.state === 'done') continue;
    const table = tableOf(context, range.tableName);
    const commit = commitFor(table, range, () => tallies.filter((_, j) => j !== i));
    const report = () => {
      const done = sumRecords(tallies).total;
      context.onProgress({ pass, verifying: isVerifying, table: table.name, done, total: Math.max(done, total) });
    };
    const reported: CommitBatch = async (rows, ...rest) => {
      const tally = await commit(rows, ...rest);
      tallies[i] = { table: range.tableName, tally };
      if (rows.length > 0) report();
      return tally;
    };
    // Where this process takes over: what it counts its rate from.
    report();
    await walkRange(context, { table, ...range }, transform, reported);
  }
  return tallies;
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
  const ranges = parts(context.tables).map((part, id): PlannedRange => {
    return {
      ...part,
      id,
      cursor: null,
      state: 'open',
      tally: emptyTally(countedColumns(tableOf(context, part.tableName))),
    };
  });
  const tallies = await walkPass(
    context,
    1,
    await countRecords(context),
    ranges,
    (table) =>
      (rows, work, { tally }) => {
        const counted = structuredClone(tally);
        for (const done of work(rows)) {
          done.count(counted);
          for (const { columnIndex, reason } of done.failures) {
            onUnreadable({ table: table.name, column: sweptColumns(table)[columnIndex] as string, reason });
          }
        }
        return counted;
      },
  );
  return { first: tallies, late: 0, last: tallies, left: 0, passes: 1 };
}

async function loadRanges(store: Store, context: PassContext, runId: number, pass: number): Promise<PlannedRange[]> {
  let stored = await store.runs.ranges(runId, pass);
  if (stored.length === 0) {
    await store.runs.createRanges(parts(context.tables).map((part, seq) => ({ runId, pass, seq, ...part })));
    stored = await store.runs.ranges(runId, pass);
  }
  return stored.map((range) => {
    const tally = {
      ...emptyTally(countedColumns(tableOf(context, range.tableName))),
      ...(JSON.parse(range.counts) as Tally),
    };
    return { ...range, tally };
  });
}

/**
 * Drives a claimed run from its checkpoint to the end of its passes.
 * @throws FieldsealError `ERR_RUN_STOPPED`, `ERR_RUN_LOST`
 */
export async function runPasses(store: Store, run: Run, fence: number, context: PassContext): Promise<PassesResult> {
  const keep = async (change: Parameters<Store['runs']['update']>[2]) => {
    if (await store.runs.update(run.id, fence, change)) return;
    throw new FieldsealError('ERR_RUN_LOST', `Run ${run.id} was stopped or taken over by another process.`);
  };
  let total = run.counts.total;
  let first: RangeTally[] = [];
  let late = 0;
  for (let pass = 1; ; pass++) {
    const ranges = await loadRanges(store, context, run.id, pass);
    const isSweep = pass % 2 === 1;
    if (pass === 1 && ranges.every((range) => range.cursor === null && range.state === 'open')) {
      total = await countRecords(context);
      await keep({ counts: { ...NO_RECORDS, total } });
    }
    const lateBefore = late;
    // The run's row shows the first pass, and what later passes had to rewrite on top of it.
    const runCounts = (tallies: readonly RangeTally[]): RecordCounts => {
      if (pass === 1) return { ...sumRecords(tallies), total };
      const rewritten = lateBefore + (isSweep ? sumRecords(tallies).rotated : 0);
      const counts = sumRecords(first);
      return { ...counts, total: counts.total + rewritten, rotated: counts.rotated + rewritten };
    };
    const tallies = await walkPass(
      context,
      pass,
      total,
      ranges,
      (table, range, others) => (rows, work, checkpoint) =>
        context.database.commit(table, range.part, rows, work, {
          ...checkpoint,
          runId: run.id,
          fence,
          rangeId: range.id,
          runCounts: (tally) => runCounts([...others(), { table: range.tableName, tally }]),
        }),
    );
    if (pass === 1) {
      first = tallies;
      total = sumRecords(first).total;
    } else if (isSweep) late += sumRecords(tallies).rotated;
    await keep({ counts: { ...runCounts(tallies), ...(pass === 1 && { total }) } });

    const held = sumHeld(tallies.flatMap(({ tally }) => Object.values(tally)));
    const left = isSweep ? Number.POSITIVE_INFINITY : leftToDo(context.kind, context.newKeyVersion, held);
    if (context.kind === 'verify') return { first, late, last: tallies, left: 0, passes: 1 };
    if (left === 0 || pass >= 2 * MAX_SWEEPS) return { first, late, last: tallies, left, passes: pass };
    await keep({ pass: pass + 1 });
  }
}
