/** Counting what a sweep did, per column: in memory between two checkpoints, as JSON in the range's row. */
import type { RecordCounts } from '../store/store.js';
import type { Outcome } from './transform.js';

/** The counts of one column, and under what its records are kept now: key version, or `plaintext` → how many. */
export interface ColumnTally extends RecordCounts {
  held: Record<string, number>;
}

/** Column → its tally. */
export type Tally = Record<string, ColumnTally>;

export const NO_RECORDS: Readonly<RecordCounts> = { total: 0, rotated: 0, current: 0, skipped: 0, failed: 0 };

/** Adds one outcome to a tally that has the column. One that was to be written and is skipped holds what it held. */
export function countOutcome(tally: Tally, column: string, outcome: Outcome, isSkipped = false): void {
  const counts = tally[column] as ColumnTally;
  counts.total++;
  if (outcome.kind === 'write' && isSkipped) {
    counts.skipped++;
    return;
  }
  if (outcome.kind === 'write') counts.rotated++;
  else if (outcome.kind === 'current') counts.current++;
  else counts.failed++;
  if (outcome.kind !== 'failed') counts.held[outcome.holds] = (counts.held[outcome.holds] ?? 0) + 1;
}

/** The sum of several counts. */
export function sumCounts(all: Iterable<RecordCounts>): RecordCounts {
  const sum = { ...NO_RECORDS };
  for (const counts of all) {
    for (const name of Object.keys(sum) as (keyof RecordCounts)[]) sum[name] += counts[name];
  }
  return sum;
}

/** The sum of what several tallies hold. */
export function sumHeld(tallies: Iterable<ColumnTally>): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const { held } of tallies) {
    for (const [holds, count] of Object.entries(held)) sum[holds] = (sum[holds] ?? 0) + count;
  }
  return sum;
}

/** The empty tally of some columns, so that a report names those without records too. */
export function emptyTally(columns: readonly string[]): Tally {
  return Object.fromEntries(columns.map((column) => [column, { ...NO_RECORDS, held: {} }]));
}
