/** What the two databases make of a swept row in the same way. */
import type { ContextRow } from 'fieldseal';
import type { KeyPart, RowKey } from './row-key.js';
import type { BatchWork, RangePart, RowWork, SweptRow } from './sweep-database.js';
import type { SweptTable } from './swept-table.js';
import type { StoredValue } from './transform.js';

function keyValue({ type, value }: KeyPart): unknown {
  return type === 'text' ? value.toString('utf8') : value;
}

/** What values of a row may be bound to, by declared names. A row that is walked by its rowid has no whole key. */
export function contextOf(
  { fields, indexes = [], context = [], keyColumns, keyNames = keyColumns }: SweptTable,
  part: RangePart,
  key: RowKey,
  values: readonly (StoredValue | null)[],
): ContextRow {
  const first = fields.length + indexes.length;
  return Object.fromEntries([
    ...context.map((name, i) => [name, values[first + i]]),
    ...(part === 'key' ? keyNames.map((name, i) => [name, keyValue(key[i] as KeyPart)]) : []),
  ]);
}

/** What is read of a row. */
type Read = Omit<SweptRow, 'context'>;

/** A row whose context is made when somebody asks for it: values that are bound to nothing need none. */
export class ReadRow implements SweptRow {
  readonly key: RowKey;
  readonly values: readonly (StoredValue | null)[];
  readonly #contextOf: (row: Read) => ContextRow;
  #context: ContextRow | null = null;

  constructor({ key, values }: Read, contextOf: (row: Read) => ContextRow) {
    this.key = key;
    this.values = values;
    this.#contextOf = contextOf;
  }

  get context(): ContextRow {
    this.#context ??= this.#contextOf(this);
    return this.#context;
  }
}

/** A row with what is to be done to it. */
export interface PlannedRow {
  readonly row: SweptRow;
  readonly work: RowWork;
}

/** Each row with its work. */
export function planOf(rows: readonly SweptRow[], work: BatchWork): PlannedRow[] {
  const works = work(rows);
  return rows.map((row, i) => ({ row, work: works[i] as RowWork }));
}

/** SQL that counts a row's records: fields that are not NULL, and indexes of such fields. */
export function recordsOf({ fields, indexes = [], indexesOnly }: SweptTable, name: (column: string) => string): string {
  const isThere = (columns: readonly { readonly column: string }[]) =>
    `(${columns.map(({ column }) => `${name(column)} IS NOT NULL`).join(' AND ')})`;
  const counted = [
    ...(indexesOnly ? [] : fields.map((field) => isThere([field]))),
    ...indexes.map((index) => isThere(index.fields)),
  ];
  return counted.map((condition) => `(CASE WHEN ${condition} THEN 1 ELSE 0 END)`).join(' + ');
}
