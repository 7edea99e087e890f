/** What a key is still needed for, as all finished sweeps together found it. */
import { FieldsealError } from 'fieldseal';
import type { Run, RunKind, StoreTransaction } from '../store/store.js';
import { ownColumn, sweepsOwnTables } from '../sweep/own-tables.js';
import type { ColumnReport, SweepReport } from '../sweep/sweep-report.js';
import { countIndexesUnder, countUnder } from '../sweep/transform.js';
import type { KeyName } from './change-stored-keyring.js';
import type { ChangeablePurpose } from './changeable-purposes.js';
import type { Dependencies } from './dependencies.js';

/** Values of one column that are under the key, or may be. */
export interface NeedingColumn {
  readonly table: string;
  readonly column: string;
  readonly values: number;
  /** The run that counted them. */
  readonly run: number;
}

/** What the sweeps found. */
export interface KeyNeeds {
  /** The newest run that went over everything that was declared; null: there is none. */
  readonly counted: Run | null;
  /** What the newest run that looked at a column found under the key. */
  readonly columns: readonly NeedingColumn[];
  /** What an earlier run found in a column that the counting one did not look at. */
  readonly absent: readonly NeedingColumn[];
  /** Whether any of the runs went over tables that somebody declared. */
  readonly hadDeclaration: boolean;
}

/** What an operator says of columns that had values under the key. */
export interface DroppedColumns {
  /** `table.column`: dropped, or decrypted, so that nothing looks there any more. */
  readonly dropped?: readonly string[];
}

/** The sweeps that go over everything that keys of a purpose may hold. */
const COUNTING_KINDS: Readonly<Record<ChangeablePurpose, readonly RunKind[]>> = {
  field: ['verify', 'rotate'],
  'blind-index': ['verify', 'index'],
};
const PAGE_RUNS = 100;

/** The runs with a report, newest first. */
async function* reportedRuns({ runs }: StoreTransaction): AsyncGenerator<{ run: Run; report: SweepReport }> {
  let beforeId: number | undefined;
  for (;;) {
    const page = await runs.list(PAGE_RUNS, beforeId === undefined ? {} : { beforeId });
    for (const run of page) {
      if (run.report !== null) yield { run, report: JSON.parse(run.report) as SweepReport };
    }
    if (page.length < PAGE_RUNS) return;
    beforeId = page.at(-1)?.id;
  }
}

/** What a run looked at: its report leaves out the service's own column while that is empty. */
function lookedAt(
  { kind, columns }: SweepReport,
  own: Pick<ColumnReport, 'table' | 'column'>,
): readonly Pick<ColumnReport, 'table' | 'column' | 'held'>[] {
  if (!sweepsOwnTables(kind) || columns.some((column) => columnName(column) === columnName(own))) return columns;
  return [...columns, { ...own, held: {} }];
}

function columnName({ table, column }: Pick<ColumnReport, 'table' | 'column'>): string {
  return `${table}.${column}`;
}

/** @param countedBy the run to go by; null: the newest that counts */
export async function keyNeeds(
  { target, schema }: Dependencies,
  tx: StoreTransaction,
  { version, purpose, dropped = [] }: KeyName & DroppedColumns,
  countedBy: number | null = null,
): Promise<KeyNeeds> {
  const count = purpose === 'field' ? countUnder : countIndexesUnder;
  const own = ownColumn(target.dialect === 'sqlite' ? null : schema);
  const newest = new Map<string, NeedingColumn>();
  const withValues = new Map<string, NeedingColumn>();
  let counted: Run | null = null;
  let seen: ReadonlySet<string> = new Set();
  for await (const { run, report } of reportedRuns(tx)) {
    const columns = lookedAt(report, own);
    if (!counted && (countedBy === null ? COUNTING_KINDS[purpose].includes(run.kind) : run.id === countedBy)) {
      counted = run;
      seen = new Set(columns.map(columnName));
    }
    for (const { table, column, held } of columns) {
      const found = { table, column, values: count(version, held), run: run.id };
      const name = columnName(found);
      if (!newest.has(name)) newest.set(name, found);
      if (found.values > 0 && !withValues.has(name)) withValues.set(name, found);
    }
  }
  const isLookedAt = (name: string) => counted === null || seen.has(name);
  return {
    counted,
    columns: [...newest].flatMap(([name, found]) => (isLookedAt(name) && found.values > 0 ? [found] : [])),
    absent: [...withValues].flatMap(([name, found]) => (isLookedAt(name) || dropped.includes(name) ? [] : [found])),
    hadDeclaration: [...newest.keys()].some((name) => name !== columnName(own)),
  };
}

/** `users.phone (2), notes.body (1)`. */
export function describeColumns(columns: readonly NeedingColumn[]): string {
  return columns.map((column) => `${columnName(column)} (${column.values})`).join(', ');
}

/** @throws FieldsealError `ERR_KEY_NEEDED`; `advice` is what to do about values that are where the run looked */
export function assertNoNeeds({ counted, columns, absent }: KeyNeeds, { version }: KeyName, advice: string): void {
  const [found] = columns;
  if (found) {
    const together = columns.filter(({ run }) => run === found.run);
    throw new FieldsealError(
      'ERR_KEY_NEEDED',
      `Run ${found.run} found values under ${version}: ${describeColumns(together)}.${advice}`,
    );
  }
  const [lost] = absent;
  if (!lost) return;
  const together = absent.filter(({ run }) => run === lost.run);
  throw new FieldsealError(
    'ERR_KEY_NEEDED',
    `Run ${lost.run} found values under ${version}: ${describeColumns(together)}; and run ${counted?.id}, the last that counted, did not look there. Declare it and run \`fieldseal verify\`; of a column that was dropped, or decrypted, say --dropped ${columnName(lost)}.`,
  );
}

/** @throws FieldsealError `ERR_CONFIG_NOT_FOUND` where runs knew a declaration, and this command does not */
export function assertConfig(config: unknown, { hadDeclaration }: KeyNeeds): void {
  if (config !== null || !hadDeclaration) return;
  throw new FieldsealError(
    'ERR_CONFIG_NOT_FOUND',
    'Earlier runs went over declared tables, and there is no fieldseal.config.ts (or .js) in the current folder; start this where it is.',
  );
}
