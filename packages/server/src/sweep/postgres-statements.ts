/** The SQL that a PostgreSQL sweep runs on an application's tables. Keys and values travel as text, NULL aside. */
import type { Stored } from 'fieldseal';
import { LEASE_SECONDS } from './lease.js';
import { numberArray, textArray } from './postgres-arrays.js';
import { NULL_MARK, type PostgresReadRow, SEPARATOR } from './postgres-rows.js';
import type { KeyPart, RowKey } from './row-key.js';
import { quoteName } from './sql-tokens.js';
import { type PlannedRow, recordsOf } from './swept-row.js';
import { type PostgresSweptTable, sweptColumns } from './swept-table.js';
import type { StoredValue } from './transform.js';

/** A statement and what it is run with. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
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

/** A key part as the database's own text. */
function keyText({ value }: KeyPart): string {
  return Buffer.isBuffer(value) ? value.toString('utf8') : String(value);
}

function selectedKeys({ keys }: PostgresSweptTable): string {
  return keys.map(({ column }, i) => `t.${quoteName(column)}::text AS k${i}`).join(', ');
}

function selectedValues(table: PostgresSweptTable): string {
  return sweptColumns(table)
    .map((_, i) => `${textOf(table, i)} AS v${i}`)
    .join(', ');
}

/** Which rows come next: at most `limit` behind the cursor and up to `upper`, where there are such bounds. */
export interface NextRows {
  readonly cursor: RowKey | null;
  readonly upper: RowKey | null;
  readonly limit: number;
}

/** The next rows behind the cursor; only the database compares keys, under the columns' own collations. */
function next(table: PostgresSweptTable, columns: string, { cursor, upper, limit }: NextRows): Statement {
  const keys = table.keys.map(({ column }) => `t.${quoteName(column)}`).join(', ');
  const parameters: unknown[] = [limit];
  const bound = (key: RowKey) =>
    table.keys
      .map(({ castType }, i) => `$${parameters.push(keyText(key[i] as KeyPart))}::text::${castType}`)
      .join(', ');
  const conditions = [
    ...(cursor ? [`(${keys}) > (${bound(cursor)})`] : []),
    ...(upper ? [`(${keys}) <= (${bound(upper)})`] : []),
  ];
  return {
    sql: `SELECT ${selectedKeys(table)}, ${columns} FROM ONLY ${table.sqlName} AS t
      ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''} ORDER BY ${keys} LIMIT $1`,
    parameters,
  };
}

/** Of longer values a driver's rows are no slower, and take no more memory than they have to. */
const LONG_BYTES = 8 * 1024;

/**
 * The next rows in one row, which `columnsInOne` takes apart: each column as one text, and how many values of it are not
 * NULL as `n0`…. A driver is many times as long about a row as it takes to find a separator. Where a value is `long`, all
 * rows have to be asked for as {@link selectNextRows}.
 */
export function selectNext(table: PostgresSweptTable, which: NextRows): Statement {
  const { sql, parameters } = selectNextRows(table, which);
  const values = sweptColumns(table).map((_, i) => `v${i}`);
  const [separator, nullMark] = [SEPARATOR, NULL_MARK].map((sign) => `chr(${sign.charCodeAt(0)})`);
  const short = (value: string) =>
    `CASE WHEN octet_length(${value}) > ${LONG_BYTES} THEN '' ELSE coalesce(${value}, ${nullMark}) END`;
  const columns = [
    ...[...keyNames(table), 'x'].map((column) => `string_agg(${column}, ${separator}) AS ${column}`),
    ...values.map((value, i) => `count(${value})::int AS n${i}, string_agg(${short(value)}, ${separator}) AS ${value}`),
  ];
  const longest = `max(greatest(${values.map((value) => `octet_length(${value})`).join(', ')}))`;
  return {
    sql: `SELECT count(*)::int AS rows, ${longest} > ${LONG_BYTES} AS long, ${columns.join(', ')} FROM (${sql}) AS n`,
    parameters,
  };
}

/** The next rows: keys as `k0`…, values as `v0`…, `xmin` as `x`. */
export function selectNextRows(table: PostgresSweptTable, which: NextRows): Statement {
  return next(table, `${selectedValues(table)}, t.xmin::text AS x`, which);
}

/** How many `rows` there are next, how many `records` they have, and the key of the last as `k0`…. */
export function selectCounts(table: PostgresSweptTable, which: NextRows): Statement {
  const records = recordsOf(table, (column) => `t.${quoteName(column)}`);
  const { sql, parameters } = next(table, `${records} AS records`, which);
  const last = keyNames(table).map((key) => `(array_agg(${key}))[count(*)] AS ${key}`);
  return {
    sql: `SELECT count(*)::int AS rows, sum(records) AS records, ${last.join(', ')} FROM (${sql}) AS n`,
    parameters,
  };
}

function keyNames({ keys }: PostgresSweptTable): string[] {
  return keys.map((_, i) => `k${i}`);
}

/** The keys of some rows as one array a column, from parameter `first` on, and the join of `t` with them. */
function keyJoin({ keys }: PostgresSweptTable, rows: readonly PlannedRow[], first: number) {
  return {
    names: keys.map((_, i) => `k${i}`),
    arrays: keys.map((_, i) => `$${first + i}::text[]`),
    condition: keys.map(({ column, castType }, i) => `t.${quoteName(column)} = v.k${i}::${castType}`).join(' AND '),
    parameters: keys.map((_, i) => rows.map(({ row }) => keyText(row.key[i] as KeyPart))),
  };
}

/** Some rows again, locked until the transaction ends. */
export function selectLocked(table: PostgresSweptTable, rows: readonly PlannedRow[]): Statement {
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
  rows: readonly PlannedRow[],
): Statement {
  const { names, arrays, condition, parameters } = keyJoin(table, rows, 1);
  const columns = sweptColumns(table);
  const bytes = (columnIndex: number) => `${textOf(table, columnIndex)} COLLATE "C"`;
  const values = [...columns.map((_, i) => `o${i}`), ...columnIndexes.map((_, i) => `n${i}`)];
  const valueArrays = values.map((_, i) => `$${names.length + i + 1}::text[]`);
  const { set, isStored } = assignment(table, columnIndexes);
  const guard = columns.map((_, i) => `${bytes(i)} IS NOT DISTINCT FROM v.o${i}`);
  return {
    sql: `UPDATE ONLY ${table.sqlName} AS t SET ${set}
      FROM unnest(${[...arrays, ...valueArrays].join(', ')}) WITH ORDINALITY AS v (${[...names, ...values, 'i'].join(', ')})
      WHERE ${[condition, ...guard].join(' AND ')}
      RETURNING v.i::int AS i, ${isStored} AS stored`,
    parameters: [
      ...parameters,
      ...columns.map((_, i) => rows.map(({ row }) => shownText(row.values[i] as StoredValue | null))),
      ...columnIndexes.map((_, i) => writtenTexts(rows, i)),
    ],
  };
}

/** How many (`n`) of some rows hold what was written to these columns. */
export function selectStored(
  table: PostgresSweptTable,
  columnIndexes: readonly number[],
  rows: readonly PlannedRow[],
): Statement {
  const { names, arrays, condition, parameters } = keyJoin(table, rows, 1);
  const values = columnIndexes.map((_, i) => `n${i}`);
  const valueArrays = values.map((_, i) => `$${names.length + i + 1}::text[]`);
  return {
    sql: `SELECT count(*)::int AS n FROM unnest(${[...arrays, ...valueArrays].join(', ')}) AS v (${[...names, ...values].join(', ')})
      JOIN ONLY ${table.sqlName} AS t ON ${condition} WHERE ${assignment(table, columnIndexes).isStored}`,
    parameters: [...parameters, ...columnIndexes.map((_, i) => writtenTexts(rows, i))],
  };
}

/** The names of the service's tables that a batch writes to. */
export interface OwnNames {
  readonly ranges: string;
  readonly failures: string;
}

/** Rows of which the same columns change. */
export interface WriteGroup<Row extends PlannedRow = PlannedRow> {
  readonly columnIndexes: readonly number[];
  readonly rows: readonly Row[];
}

/** A row that is guarded by its version. */
export type VersionedRow = PlannedRow & { readonly row: PostgresReadRow };

/** What the rows of a group get in the column of that place among those that change. */
function writtenTexts(rows: readonly PlannedRow[], place: number): (string | null)[] {
  return rows.map(({ work }) => shownText(work.changes[place]?.value ?? null));
}

/** All that a batch writes. */
export interface BatchWrite {
  readonly groups: readonly WriteGroup<VersionedRow>[];
  readonly failures: readonly { readonly column: string; readonly key: string; readonly reason: string }[];
  readonly runId: number;
  readonly fence: number;
  readonly rangeId: number;
  readonly from: string | null;
  readonly place: RangePlace;
}

/** What the range's row says after a batch. */
export interface RangePlace {
  readonly cursor: string | null;
  /** JSON. */
  readonly counts: string;
  readonly state: 'running' | 'done';
}

/** What {@link batchStatement} fails with when it wrote nothing because not every row took its write: `division_by_zero`. */
export const MISSED = '22012';

/**
 * A whole batch as one statement, which holds its locks for no longer than the database takes: the fence, the rows, the
 * failures, the checkpoint. Each row is written only while it is the version that was read, by its key and `xmin`. That
 * guards the whole row, and so at least what comparing all of its values would: every change of a row gives it the `xmin`
 * of its transaction, of which no other version was ever visible over this connection (a server that comes back after a
 * crash hands out ids again that it had not written down, which is why the caller asks for the connection). Freezing leaves the column as it is (since PostgreSQL
 * 9.4), and where anything else changed it the guard would only refuse. Fails with {@link MISSED} and changes nothing
 * unless every row is written, and stored as it was given; one row back, or none when the fence is not the range's any more.
 */
export function batchStatement(table: PostgresSweptTable, own: OwnNames, write: BatchWrite): Statement {
  const parameters: unknown[] = [];
  const given = (value: unknown) => `$${parameters.push(value)}`;
  const { runId, place, groups, failures } = write;
  const holds = holdsRange(write, given);
  // Locked, so that a claim or a stop waits for the batch, or the batch finds that they were first (SWEEPS.md §2).
  const parts = [`g AS MATERIALIZED (SELECT id FROM ${own.ranges} WHERE ${holds} FOR NO KEY UPDATE)`];
  for (const [i, group] of groups.entries()) parts.push(`u${i} AS (${versionGuarded(table, group, given)})`);
  const written = groups.map((_, i) => `SELECT stored FROM u${i}`).join(' UNION ALL ');
  const expected = groups.reduce((sum, { rows }) => sum + rows.length, 0);
  const all =
    written && `AND 1 / ((SELECT count(*) FILTER (WHERE stored) FROM (${written}) AS u) = ${expected})::int = 1`;
  if (failures.length > 0) {
    const arrays = (['column', 'key', 'reason'] as const).map((name) => {
      return `${given(failures.map((failure) => failure[name]))}::text[]`;
    });
    parts.push(`f AS (INSERT INTO ${own.failures} (run_id, table_name, column_name, primary_key, reason)
      SELECT ${given(runId)}::bigint, ${given(table.name)}, v.* FROM g, unnest(${arrays.join(', ')}) AS v ON CONFLICT DO NOTHING)`);
  }
  return {
    sql: `WITH ${parts.join(',\n')} ${placeRange(own, place, given)} FROM g WHERE r.id = g.id ${all} RETURNING r.id`,
    parameters,
  };
}

/** The update of some rows of {@link batchStatement}: one row back for each, `stored`. */
function versionGuarded(
  table: PostgresSweptTable,
  { columnIndexes, rows }: WriteGroup<VersionedRow>,
  given: (value: unknown) => string,
): string {
  const keys = table.keys.map(({ column, castType, isInteger }, i) => {
    const name = `t.${quoteName(column)}`;
    const texts = rows.map(({ row }) => row.keyText(i));
    if (isInteger) return { array: `${given(numberArray(texts))}::${castType}[]`, condition: `${name} = v.k${i}` };
    return { array: `${given(textArray(texts))}::text[]`, condition: `${name} = v.k${i}::${castType}` };
  });
  const values = columnIndexes.map((_, i) => `${given(textArray(writtenTexts(rows, i)))}::text[]`);
  const versions = `${given(numberArray(rows.map(({ row }) => row.xmin as string)))}::xid[]`;
  const names = [...keyNames(table), ...columnIndexes.map((_, i) => `n${i}`), 'x'];
  const { set, isStored } = assignment(table, columnIndexes);
  return `UPDATE ONLY ${table.sqlName} AS t SET ${set}
    FROM g, unnest(${[...keys.map(({ array }) => array), ...values, versions].join(', ')}) AS v (${names.join(', ')})
    WHERE ${keys.map(({ condition }) => condition).join(' AND ')} AND t.xmin = v.x RETURNING ${isStored} AS stored`;
}

/** The new values `v.n0`… for some columns, and whether the database stored just those. */
function assignment(table: PostgresSweptTable, columnIndexes: readonly number[]) {
  const columns = sweptColumns(table);
  const set = columnIndexes.map((columnIndex, i) => {
    return `${quoteName(columns[columnIndex] as string)} = v.n${i}${isBytes(table, columnIndex) ? '::bytea' : ''}`;
  });
  const isStored = columnIndexes.map(
    (columnIndex, i) => `${textOf(table, columnIndex)} COLLATE "C" IS NOT DISTINCT FROM v.n${i}`,
  );
  return { set: set.join(', '), isStored: `(${isStored.join(' AND ')})` };
}

/** That a range is still its worker's, and stands where its last batch left it. */
export function holdsRange(
  { rangeId, fence, from }: Pick<BatchWrite, 'rangeId' | 'fence' | 'from'>,
  given: (value: unknown) => string,
): string {
  return `id = ${given(rangeId)} AND fence = ${given(fence)} AND state = 'running' AND cursor IS NOT DISTINCT FROM ${given(from)}`;
}

/** Where the range `r` stands, and its lease from now on; a `FROM` may follow. A range that is done has no worker. */
export function placeRange(
  own: OwnNames,
  { cursor, counts, state }: RangePlace,
  given: (value: unknown) => string,
): string {
  const worker =
    state === 'done'
      ? 'owner = NULL, lease_until = NULL'
      : `lease_until = floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + ${1000 * LEASE_SECONDS}`;
  return `UPDATE ${own.ranges} AS r SET cursor = ${given(cursor)}, counts = ${given(counts)}, state = ${given(state)}, ${worker}`;
}
