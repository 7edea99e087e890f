/** What a key is still needed for, as the newest finished sweep that counted every value found it. */
import type { RunKind, StoreTransaction } from '../store/store.js';
import type { SweepReport } from '../sweep/sweep-report.js';
import { countIndexesUnder, countUnder } from '../sweep/transform.js';
import type { KeyName } from './change-stored-keyring.js';
import type { ChangeablePurpose } from './changeable-purposes.js';

/** Values of one column that are under the key, or may be. */
export interface NeedingColumn {
  readonly table: string;
  readonly column: string;
  readonly values: number;
}

/** What one sweep found. */
export interface KeyNeeds {
  readonly run: number;
  readonly columns: readonly NeedingColumn[];
}

/** The sweeps that go over everything that keys of a purpose may hold. */
const COUNTING_KINDS: Readonly<Record<ChangeablePurpose, readonly RunKind[]>> = {
  field: ['verify', 'rotate'],
  'blind-index': ['verify', 'index'],
};
const LOOKED_AT_RUNS = 100;

/** The columns of a report with values under the key. */
export function needingColumns({ columns }: SweepReport, { version, purpose }: KeyName): NeedingColumn[] {
  const count = purpose === 'field' ? countUnder : countIndexesUnder;
  return columns.flatMap(({ table, column, held }) => {
    const values = count(version, held);
    return values > 0 ? [{ table, column, values }] : [];
  });
}

/** What the last verifying pass found under the key; null when there was none. */
export async function keyNeeds({ runs }: StoreTransaction, name: KeyName): Promise<KeyNeeds | null> {
  const newest = (await runs.list(LOOKED_AT_RUNS)).find(
    ({ kind, report }) => report !== null && COUNTING_KINDS[name.purpose].includes(kind),
  );
  if (!newest) return null;
  return { run: newest.id, columns: needingColumns(JSON.parse(newest.report as string) as SweepReport, name) };
}

/** `users.phone (2), notes.body (1)`. */
export function describeColumns(columns: readonly NeedingColumn[]): string {
  return columns.map(({ table, column, values }) => `${table}.${column} (${values})`).join(', ');
}
