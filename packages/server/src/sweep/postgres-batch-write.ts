/** What a batch writes to a PostgreSQL table, put together for one statement or for several. */
import type { BatchWrite, WriteGroup } from './postgres-statements.js';
import { describeRowKey } from './row-key.js';
import type { PlannedRow } from './swept-row.js';
import { type PostgresSweptTable, sweptColumns } from './swept-table.js';

/** Sets of changed columns that one statement writes; each is a part of it. */
const MOST_GROUPS = 8;

/** What one statement writes, and over which connection: rows that were read before another one are guarded by their values. */
export type WriteAtOnce = Pick<BatchWrite, 'groups' | 'failures'> & { readonly connection: number | null };

/** What could not be read of some rows. */
export function failuresOf(table: PostgresSweptTable, planned: readonly PlannedRow[]) {
  const columns = sweptColumns(table);
  return planned.flatMap(({ row, work }) =>
    work.failures.map(({ columnIndex, reason }) => {
      return { column: columns[columnIndex] as string, key: describeRowKey(row.key), reason };
    }),
  );
}

/**
 * What one statement can write of a batch; null: it has to be written step by step. So are the service's own tables, whose
 * rows are touched for other reasons all the time: there only a change of what was read is to count; and tables with
 * triggers, whose work a statement does not see.
 */
export function writeAtOnce(table: PostgresSweptTable, planned: readonly PlannedRow[]): WriteAtOnce | null {
  if (table.isOwn || table.hasTriggers) return null;
  const groups = writeGroups(planned);
  const changed = planned.filter(({ work }) => work.changes.length > 0);
  const connection = changed[0]?.row.rowVersion?.connection ?? null;
  const areOfOne = changed.every(({ row }) => row.rowVersion?.connection === connection && connection !== null);
  if (!areOfOne || groups.length > MOST_GROUPS) return null;
  return { groups, failures: failuresOf(table, planned), connection };
}

/** The rows that change, by which of their columns do; `from`: what they were planned as. */
export function writeGroups(planned: readonly PlannedRow[]): (WriteGroup & { readonly from: readonly PlannedRow[] })[] {
  const bySet = new Map<string, PlannedRow[]>();
  for (const row of planned) {
    if (row.work.changes.length === 0) continue;
    const set = row.work.changes.map(({ columnIndex }) => columnIndex).join();
    const rows = bySet.get(set);
    if (rows) rows.push(row);
    else bySet.set(set, [row]);
  }
  return Array.from(bySet.values(), (from) => {
    const columnIndexes = (from[0] as PlannedRow).work.changes.map(({ columnIndex }) => columnIndex);
    const rows = from.map(({ row: { key, values, rowVersion }, work: { changes } }) => {
      return { key, values, changes, rowVersion: rowVersion?.xmin ?? '' };
    });
    return { columnIndexes, rows, from };
  });
}
