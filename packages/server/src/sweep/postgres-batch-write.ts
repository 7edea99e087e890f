/** What a batch writes to a PostgreSQL table, put together for one statement or for several. */
import { PostgresReadRow } from './postgres-rows.js';
import type { BatchWrite, VersionedRow, WriteGroup } from './postgres-statements.js';
import { describeRowKey } from './row-key.js';
import type { ColumnChange } from './sweep-database.js';
import type { PlannedRow } from './swept-row.js';
import { type PostgresSweptTable, sweptColumns } from './swept-table.js';
import type { FailureReason } from './transform.js';

/** Sets of changed columns that one statement writes; each is a part of it. */
const MOST_GROUPS = 8;

/** What one statement writes, and over which connection: rows that were read before another one are guarded by their values. */
export type WriteAtOnce = Pick<BatchWrite, 'groups' | 'failures'> & { readonly connection: number | null };

/** What could not be read of some rows. */
export function failuresOf(table: PostgresSweptTable, planned: readonly PlannedRow[]) {
  const columns = sweptColumns(table);
  const failures: { column: string; key: string; reason: FailureReason }[] = [];
  for (const { row, work } of planned) {
    for (const { columnIndex, reason } of work.failures) {
      failures.push({ column: columns[columnIndex] as string, key: describeRowKey(row.key), reason });
    }
  }
  return failures;
}

/**
 * What one statement can write of a batch; null: it has to be written step by step. So are the service's own tables, whose
 * rows are touched for other reasons all the time: there only a change of what was read is to count; and tables with
 * triggers, whose work a statement does not see.
 */
export function writeAtOnce(table: PostgresSweptTable, planned: readonly PlannedRow[]): WriteAtOnce | null {
  if (table.isOwn || table.hasTriggers) return null;
  const groups = writeGroups(planned);
  if (groups.length > MOST_GROUPS || !groups.every(isVersioned)) return null;
  const connection = groups[0]?.rows[0]?.row.connection ?? null;
  if (!groups.every(({ rows }) => rows.every(({ row }) => row.connection === connection))) return null;
  return { groups, failures: failuresOf(table, planned), connection };
}

function isVersioned(group: WriteGroup): group is WriteGroup<VersionedRow> {
  return group.rows.every(({ row }) => row instanceof PostgresReadRow && row.xmin !== null);
}

/** The rows that change, by which of their columns do. */
export function writeGroups(planned: readonly PlannedRow[]): WriteGroup[] {
  const groups: (WriteGroup & { readonly rows: PlannedRow[] })[] = [];
  let group: (typeof groups)[number] | undefined;
  for (const row of planned) {
    const { changes } = row.work;
    if (changes.length === 0) continue;
    // Neighbours mostly change in the same columns.
    if (!group || !isOf(group, changes)) {
      group = groups.find((one) => isOf(one, changes));
      if (!group) {
        group = { columnIndexes: changes.map(({ columnIndex }) => columnIndex), rows: [] };
        groups.push(group);
      }
    }
    group.rows.push(row);
  }
  return groups;
}

function isOf({ columnIndexes }: WriteGroup, changes: readonly ColumnChange[]): boolean {
  return (
    columnIndexes.length === changes.length && columnIndexes.every((index, i) => changes[i]?.columnIndex === index)
  );
}
