/**
 * A whole batch written to a SQLite table by one statement, at half of what a statement for each row costs. The statement
 * walks the batch's part of the table and asks functions of ours for each row, which guard it: every row has to be there
 * as it was read, in the same order, and no other. Whatever is not so stops the statement; its transaction is then to be
 * rolled back, and the rows written one by one.
 */
import type Database from 'better-sqlite3';
import type { KeyPart, RowKey } from './row-key.js';
import { quoteName } from './sql-tokens.js';
import type { PlannedRow } from './swept-row.js';
import { type SweptTable, sweptColumns } from './swept-table.js';
import { InvalidText, type StoredValue } from './transform.js';

/** A value as the driver gives it, with integers in full. */
export type Cell = string | Buffer | bigint | number | null;

/** A key part as a parameter: text goes in as its bytes and becomes text inside the database. */
export const PLACEHOLDERS: Readonly<Record<KeyPart['type'], string>> = {
  integer: '?',
  real: '?',
  text: 'CAST(? AS TEXT)',
  blob: '?',
};

const REPLACEMENT = '\ufffd';
/** With fewer rows to change among those that the statement walks, it is no gain. */
const LEAST_CHANGED = 0.5;

/** Thrown when a row is not as it was read. */
export const MOVED_ON = new Error('a row of the batch moved on since it was read');

/** A batch that one statement can write. */
export interface BatchAtOnce {
  readonly rows: readonly PlannedRow[];
  /** Those of them that change. */
  readonly changed: readonly PlannedRow[];
  /** The columns that the statement writes, by their places among the swept ones. */
  readonly columnIndexes: readonly number[];
}

/** Text that the driver may have changed, since it was no valid UTF-8. */
export function isSuspect(cell: unknown): cell is string {
  return typeof cell === 'string' && cell.includes(REPLACEMENT);
}

/**
 * Rows in the order of their keys for one statement; null where that could not compare a row by bytes and storage class, or
 * where too few of the rows change.
 */
export function batchAtOnce(rows: readonly PlannedRow[]): BatchAtOnce | null {
  const changed = rows.filter(({ work }) => work.changes.length > 0);
  if (changed.length === 0 || changed.length < LEAST_CHANGED * rows.length) return null;
  const isExact = ({ row: { key, values } }: PlannedRow) =>
    !values.some((value) => value instanceof InvalidText || isSuspect(value)) &&
    !key.some(({ type, value }) => type === 'text' && isSuspect(value.toString('utf8')));
  if (!rows.every(isExact)) return null;
  const columnIndexes = new Set<number>();
  for (const { work } of changed) for (const { columnIndex } of work.changes) columnIndexes.add(columnIndex);
  // In one order, whichever row changes which first: else each batch would have a statement of its own.
  return { rows, changed, columnIndexes: [...columnIndexes].sort((a, b) => a - b) };
}

/** Whether a cell holds what was read: storage class and bytes. */
function isSame(cell: Cell, expected: StoredValue | null): boolean {
  return Buffer.isBuffer(expected) ? Buffer.isBuffer(cell) && cell.equals(expected) : cell === expected;
}

function isSamePart(cell: Cell, { type, value }: KeyPart): boolean {
  return isSame(cell, type === 'text' ? value.toString('utf8') : value);
}

/** The statement and its functions, on one connection. */
export class SqliteBatchWrite {
  readonly #db: Database.Database;
  readonly #statements = new Map<string, Database.Statement<unknown[]>>();
  /** The functions that make new values, by name. */
  readonly #setters = new Set<string>();
  readonly #isUtf8: boolean;
  #batch: BatchAtOnce | null = null;
  /** How many rows the condition has met. */
  #met = 0;
  /** How many rows each written column was set in. */
  #set: number[] = [];

  constructor(db: Database.Database) {
    this.#db = db;
    // Two texts of UTF-16 that are not well-formed can come out as the same.
    this.#isUtf8 = db.pragma('encoding', { simple: true }) === 'UTF-8';
    db.function('fieldseal_is_changed', { varargs: true, safeIntegers: true, directOnly: true }, (...key: unknown[]) =>
      this.#isChanged(key as Cell[]) ? 1 : 0,
    );
  }

  /**
   * Writes the batch of rows that have a whole key; the caller has a transaction, and knows that no trigger runs.
   * @returns false when nothing was done, since the file's text is not UTF-8
   * @throws MOVED_ON when a row is not as it was read; a part of the batch may be written then
   */
  write(table: SweptTable, batch: BatchAtOnce): boolean {
    if (!this.#isUtf8) return false;
    this.#batch = batch;
    this.#met = 0;
    this.#set = batch.columnIndexes.map(() => 0);
    try {
      const [first, last] = [batch.rows[0], batch.rows.at(-1)] as [PlannedRow, PlannedRow];
      const [from, to] = [first.row.key, last.row.key];
      const statement = this.#statement(table, batch, from, to);
      const { changes } = statement.run(...[...from, ...to].map(({ value }) => value));
      const areAllMet = batch.changed.length === batch.rows.length || this.#met === batch.rows.length;
      if (!areAllMet || changes !== batch.changed.length) throw MOVED_ON;
    } finally {
      this.#batch = null;
    }
    return true;
  }

  #statement(
    table: SweptTable,
    { rows, changed, columnIndexes }: BatchAtOnce,
    from: RowKey,
    to: RowKey,
  ): Database.Statement<unknown[]> {
    const columns = sweptColumns(table).map(quoteName);
    const keys = table.keyColumns.map(quoteName);
    // The first of the written columns compares all that was read, the others the key alone.
    const set = columnIndexes.map((columnIndex, place) => {
      const compared = place === 0 ? [...keys, ...columns] : keys;
      return `${columns[columnIndex]} = ${this.#setter(place)}(${compared.join(', ')})`;
    });
    const bound = (key: RowKey) => `(${key.map(({ type }) => PLACEHOLDERS[type]).join(', ')})`;
    const conditions = [
      // The order of two keys may be decided before a NULL part of one is met: such rows are walked by their rowids.
      ...(table.rowidName === null ? [] : keys.map((key) => `${key} IS NOT NULL`)),
      `(${keys.join(', ')}) >= ${bound(from)} AND (${keys.join(', ')}) <= ${bound(to)}`,
      ...(changed.length < rows.length ? [`fieldseal_is_changed(${keys.join(', ')})`] : []),
    ];
    const sql = `UPDATE ${quoteName(table.name)} SET ${set.join(', ')} WHERE ${conditions.join(' AND ')}`;
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** The name of the function that makes the value of a written column. */
  #setter(place: number): string {
    const name = `fieldseal_value_${place}`;
    if (!this.#setters.has(name)) {
      const options = { varargs: true, safeIntegers: true, directOnly: true };
      this.#db.function(name, options, (...cells: unknown[]) => this.#next(place, cells as Cell[]));
      this.#setters.add(name);
    }
    return name;
  }

  /** Whether the row that comes next is to be written. */
  #isChanged(cells: readonly Cell[]): boolean {
    const planned = this.#batch?.rows[this.#met++];
    if (!planned) throw MOVED_ON;
    const { key } = planned.row;
    for (let i = 0; i < key.length; i++) if (!isSamePart(cells[i] as Cell, key[i] as KeyPart)) throw MOVED_ON;
    return planned.work.changes.length > 0;
  }

  /**
   * The new value of a written column in the changed row that comes next.
   * @param cells the key, and behind it what stands in the swept columns where that is to be compared
   */
  #next(place: number, cells: readonly Cell[]): Cell {
    const batch = this.#batch;
    const at = this.#set[place] as number;
    this.#set[place] = at + 1;
    const planned = batch?.changed[at];
    if (!batch || !planned) throw MOVED_ON;
    const { key, values } = planned.row;
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i] as Cell;
      const part = key[i];
      if (!(part ? isSamePart(cell, part) : isSame(cell, values[i - key.length] as StoredValue | null))) throw MOVED_ON;
    }
    const columnIndex = batch.columnIndexes[place] as number;
    for (const change of planned.work.changes) if (change.columnIndex === columnIndex) return change.value as Cell;
    // A column that only other rows of the batch change keeps its value.
    return values[columnIndex] as Cell;
  }
}
