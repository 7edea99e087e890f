/** The SQL that a PostgreSQL sweep runs on an application's tables. Keys and values travel as text, NULL aside. */
import type { KeyPart, RowKey } from './row-key.js';
import { quoteName } from './sql-tokens.js';
import type { PostgresSweptTable } from './swept-table.js';

/** A statement and what it is run with. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** A row to be written: its key, and old and new text of each changed column, in the order of the columns. */
export interface RowWrite {
  readonly key: RowKey;
  readonly changes: readonly { readonly stored: string; readonly value: string }[];
}

function columnOf(table: PostgresSweptTable, fieldIndex: number): string {
  return quoteName(table.fields[fieldIndex]?.column as string);
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

function selectedValues({ fields }: PostgresSweptTable): string {
  return fields.map((_, i) => `t.${quoteName(fields[i]?.column as string)}::text AS v${i}`).join(', ');
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

/** Keys as `k0`…, and how many of the row's fields are not NULL as `records`. */
export function selectCounts(table: PostgresSweptTable, cursor: RowKey | null, limit: number): Statement {
  const records = table.fields.map((_, i) => `(t.${columnOf(table, i)} IS NOT NULL)::int`).join(' + ');
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
 * Writes the same columns of some rows, each one only while it holds its old bytes: under the column's own collation a
 * concurrent write could look like the old value. One row back for each written one: its place `i` in `rows`, counted
 * from 1, and whether the database `stored` what it was given.
 */
export function guardedUpdate(
  table: PostgresSweptTable,
  fieldIndexes: readonly number[],
  rows: readonly RowWrite[],
): Statement {
  const { names, arrays, condition, parameters } = keyJoin(table, rows, 1);
  const bytes = (fieldIndex: number) => `t.${columnOf(table, fieldIndex)}::text COLLATE "C"`;
  const values = fieldIndexes.flatMap((_, i) => [`o${i}`, `n${i}`]);
  const valueArrays = values.map((_, i) => `$${names.length + i + 1}::text[]`);
  return {
    sql: `UPDATE ONLY ${table.sqlName} AS t SET ${fieldIndexes.map((index, i) => `${columnOf(table, index)} = v.n${i}`).join(', ')}
      FROM unnest(${[...arrays, ...valueArrays].join(', ')}) WITH ORDINALITY AS v (${[...names, ...values, 'i'].join(', ')})
      WHERE ${[condition, ...fieldIndexes.map((index, i) => `${bytes(index)} = v.o${i}`)].join(' AND ')}
      RETURNING v.i::int AS i, (${fieldIndexes.map((index, i) => `${bytes(index)} = v.n${i}`).join(' AND ')}) IS TRUE AS stored`,
    parameters: [
      ...parameters,
      ...fieldIndexes.flatMap((_, i) => [
        rows.map(({ changes }) => changes[i]?.stored),
        rows.map(({ changes }) => changes[i]?.value),
      ]),
    ],
  };
}
