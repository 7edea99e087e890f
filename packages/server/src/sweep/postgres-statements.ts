/** The SQL that a PostgreSQL sweep runs on an application's tables. Keys and values travel as text, NULL aside. */
import type { Stored } from 'fieldseal';
import type { KeyPart, RowKey } from './row-key.js';
import { quoteName } from './sql-tokens.js';
import { recordsOf } from './swept-row.js';
import { type PostgresSweptTable, sweptColumns } from './swept-table.js';
import type { StoredValue } from './transform.js';

/** A statement and what it is run with. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** A row to be written: its key, what was read of it, and the new values of some columns, in the order of those. */
export interface RowWrite {
  readonly key: RowKey;
  readonly values: readonly (StoredValue | null)[];
  readonly changes: readonly { readonly value: Stored | null }[];
}

/** Whether the column keeps tokens as `bytea`. */
function isBytes({ fields }: PostgresSweptTable, columnIndex: number): boolean {
  return fields[columnIndex]?.storage === 'bytes';
}

/** A column as text whatever its type: of `bytea` always the hex form. */
function textOf(table: PostgresSweptTable, columnIndex: number): string {
  const column = `t.${quoteName(sweptColumns(table)[columnIndex] as string)}`;
  return isBytes(table, columnIndex) ? `('\\x' || encode(${column}, 'hex'))` : `${column}::text`;
}

/** A value as {@link textOf} shows it. */
function shownText(value: StoredValue | Stored | null): string | null {
  if (value === null) return null;
  return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : String(value);
}

/** The values of a row, in the columns `v0`, `v1`… */
export function valuesOf(table: PostgresSweptTable, row: Record<string, unknown>): (StoredValue | null)[] {
  return sweptColumns(table).map((_, i) => {
    const text = row[`v${i}`] as string | null;
    return text !== null && isBytes(table, i) ? Buffer.from(text.slice(2), 'hex') : text;
  });
}

/** A key part as the database's own text. */
function keyText({ value }: KeyPart): string {
  return Buffer.isBuffer(value) ? value.toString('utf8') : String(value);
}

/** The key in the columns `k0`, `k1`… of a row, as {@link keyText} takes it back. */
export function keyOf({ keys }: PostgresSweptTable, row: Record<string, unknown>): RowKey {
  return keys.map(({ isInteger }, i): KeyPart => {
    const text = String(row[`k${i}`]);
    return isInteger ? { type: 'integer', value: BigInt(text) } : { type: 'text', value: Buffer.from(text, 'utf8') };
  });
}

function selectedKeys({ keys }: PostgresSweptTable): string {
  return keys.map(({ column }, i) => `t.${quoteName(column)}::text AS k${i}`).join(', ');
}

function selectedValues(table: PostgresSweptTable): string {
  return sweptColumns(table)
    .map((_, i) => `${textOf(table, i)} AS v${i}`)
    .join(', ');
}

/** The next rows behind the cursor; only the database compares keys, under the columns' own collations. */
function next(table: PostgresSweptTable, columns: string, cursor: RowKey | null, limit: number): Statement {
  const keys = table.keys.map(({ column }) => `t.${quoteName(column)}`).join(', ');
  const bounds = table.keys.map(({ castType }, i) => `$${i + 2}::text::${castType}`).join(', ');
  return {
    sql: `SELECT ${selectedKeys(table)}, ${columns} FROM ONLY ${table.sqlName} AS t
      ${cursor ? `WHERE (${keys}) > (${bounds})` : ''} ORDER BY ${keys} LIMIT $1`,
    parameters: [limit, ...(cursor ?? []).map(keyText)],
  };
}

/** Keys as `k0`…, values as `v0`…. */
export function selectNext(table: PostgresSweptTable, cursor: RowKey | null, limit: number): Statement {
  return next(table, selectedValues(table), cursor, limit);
}

/** Keys as `k0`…, and how many records the row has as `records`. */
export function selectCounts(table: PostgresSweptTable, cursor: RowKey | null, limit: number): Statement {
  const records = recordsOf(table, (column) => `t.${quoteName(column)}`);
  return next(table, `${records} AS records`, cursor, limit);
}

/** The keys of some rows as one array a column, from parameter `first` on, and the join of `t` with them. */
function keyJoin({ keys }: PostgresSweptTable, rows: readonly { key: RowKey }[], first: number) {
  return {
    names: keys.map((_, i) => `k${i}`),
    arrays: keys.map((_, i) => `$${first + i}::text[]`),
    condition: keys.map(({ column, castType }, i) => `t.${quoteName(column)} = v.k${i}::${castType}`).join(' AND '),
    parameters: keys.map((_, i) => rows.map(({ key }) => keyText(key[i] as KeyPart))),
  };
}

/** Some rows again, locked until the transaction ends. */
export function selectLocked(table: PostgresSweptTable, rows: readonly { readonly key: RowKey }[]): Statement {
  const { names, arrays, condition, parameters } = keyJoin(table, rows, 1);
  return {
    sql: `SELECT ${selectedKeys(table)}, ${selectedValues(table)}
      FROM unnest(${arrays.join(', ')}) AS v (${names.join(', ')}) JOIN ONLY ${table.sqlName} AS t ON ${condition}
      FOR NO KEY UPDATE OF t`,
    parameters,
  };
}

/**
 * Writes the same columns of some rows, each row only while every column that was read of it holds its old bytes: under a
 * column's own collation a concurrent write could look like the old value. One row back for each written one: its place
 * `i` in `rows`, counted from 1, and whether the database `stored` what it was given.
 */
export function guardedUpdate(
  table: PostgresSweptTable,
  columnIndexes: readonly number[],
  rows: readonly RowWrite[],
): Statement {
  const { names, arrays, condition, parameters } = keyJoin(table, rows, 1);
  const columns = sweptColumns(table);
  const bytes = (columnIndex: number) => `${textOf(table, columnIndex)} COLLATE "C"`;
  const values = [...columns.map((_, i) => `o${i}`), ...columnIndexes.map((_, i) => `n${i}`)];
  const valueArrays = values.map((_, i) => `$${names.length + i + 1}::text[]`);
  const set = columnIndexes.map((columnIndex, i) => {
    return `${quoteName(columns[columnIndex] as string)} = v.n${i}${isBytes(table, columnIndex) ? '::bytea' : ''}`;
  });
  const guard = columns.map((_, i) => `${bytes(i)} IS NOT DISTINCT FROM v.o${i}`);
  const isStored = columnIndexes.map((columnIndex, i) => `${bytes(columnIndex)} IS NOT DISTINCT FROM v.n${i}`);
  return {
    sql: `UPDATE ONLY ${table.sqlName} AS t SET ${set.join(', ')}
      FROM unnest(${[...arrays, ...valueArrays].join(', ')}) WITH ORDINALITY AS v (${[...names, ...values, 'i'].join(', ')})
      WHERE ${[condition, ...guard].join(' AND ')}
      RETURNING v.i::int AS i, (${isStored.join(' AND ')}) AS stored`,
    parameters: [
      ...parameters,
      ...columns.map((_, i) => rows.map((row) => shownText(row.values[i] as StoredValue | null))),
      ...columnIndexes.map((_, i) => rows.map(({ changes }) => shownText(changes[i]?.value ?? null))),
    ],
  };
}
