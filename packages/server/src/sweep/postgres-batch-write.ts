/** What a batch writes to a PostgreSQL table, put together for one statement or for several. */
import { PostgresReadRow } from './postgres-rows.js';
import type { BatchWrite, VersionedRow, WriteGroup } from './postgres-statements.js';
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
  if (groups.length > MOST_GROUPS || !groups.every(isVersioned)) return null;
  const connections = new Set(groups.flatMap(({ rows }) => rows.map(({ row }) => row.connection)));
  if (connections.size > 1) return null;
  const [connection = null] = connections;
  return { groups, failures: failuresOf(table, planned), connection };
}

function isVersioned(group: WriteGroup): group is WriteGroup<VersionedRow> {
  return group.rows.every(({ row }) => row instanceof PostgresReadRow && row.xmin !== null);
}

/** The rows that change, by which of their columns do. */
export function writeGroups(planned: readonly PlannedRow[]): WriteGroup[] {
  const groups: { readonly columnIndexes: readonly number[]; readonly rows: PlannedRow[] }[] = [];
  let group: (typeof groups)[number] | undefined;
  for (const row of planned) {
    const { changes } = row.work;
    if (changes.length === 0) continue;
    const isOf = ({ columnIndexes }: WriteGroup) =>
      columnIndexes.length === changes.length && changes.every((change, i) => change.columnIndex === columnIndexes[i]);
    // Neighbours mostly change in the same columns.
    if (!group || !isOf(group)) {
      group = groups.find(isOf);
      if (!group) {
        group = { columnIndexes: changes.map(({ columnIndex }) => columnIndex), rows: [] };
        groups.push(group);
      }
    }
    group.rows.push(row);
  }
  return groups;
}
