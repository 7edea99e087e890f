/**
 * A whole batch written to a SQLite table by one statement, at half of what a statement for each row costs. The statement
 * walks the batch's part of the table and asks functions of ours for each row, which guard it: every row has to be there
 * as it was read, in the same order, and no other. Whatever is not so stops the statement; its transaction is then to be
 * rolled back, and the rows written one by one.
 */
import type Database from 'better-sqlite3';
import type { KeyPart, RowKey } from './row-key.js';
import { quoteName } from './sql-tokens.js';
import type { RangePart } from './sweep-database.js';
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

/** A row as the statement is to meet it. */
interface ExpectedRow {
  readonly key: readonly Cell[];
  /** As read, in each swept column. */
  readonly values: readonly Cell[];
  /** To be written, in each of the written columns. */
  readonly written: readonly Cell[];
  readonly isChanged: boolean;
}

/** A batch that one statement can write. */
export interface BatchAtOnce {
  readonly rows: readonly ExpectedRow[];
  readonly changed: readonly ExpectedRow[];
  /** The columns that the statement writes, by their places among the swept ones. */
  readonly columnIndexes: readonly number[];
  readonly from: RowKey;
  readonly to: RowKey;
}

/** What stands for a key in SQL: its columns, or the name of the rowid. */
export function keyExpressions(table: SweptTable, part: RangePart): string[] {
  return part === 'key' ? table.keyColumns.map(quoteName) : [table.rowidName as string];
}

/** Text that the driver may have changed, since it was no valid UTF-8. */
export function isSuspect(cell: unknown): cell is string {
  return typeof cell === 'string' && cell.includes(REPLACEMENT);
}

function keyCell({ type, value }: KeyPart): Cell {
  return type === 'text' ? value.toString('utf8') : value;
}

/**
 * Rows in the order of their keys for one statement; null where that cannot compare a row by bytes and storage class, or
 * where too few of the rows change.
 */
export function batchAtOnce(planned: readonly PlannedRow[]): BatchAtOnce | null {
  const changed = planned.filter(({ work }) => work.changes.length > 0);
  if (changed.length === 0 || changed.length < LEAST_CHANGED * planned.length) return null;
  const columnIndexes = [...new Set(changed.flatMap(({ work }) => work.changes.map(({ columnIndex }) => columnIndex)))];
  const rows: ExpectedRow[] = [];
  for (const { row, work } of planned) {
    const key = row.key.map(keyCell);
    if (key.some(isSuspect) || row.values.some(isInexact)) return null;
    const values = row.values as readonly Cell[];
    const written = columnIndexes.map((columnIndex) => {
      const change = work.changes.find((one) => one.columnIndex === columnIndex);
      return change ? (change.value as Cell) : (values[columnIndex] as Cell);
    });
    rows.push({ key, values, written, isChanged: work.changes.length > 0 });
  }
  const [first, last] = [planned[0], planned.at(-1)] as [PlannedRow, PlannedRow];
  const expected = rows.filter(({ isChanged }) => isChanged);
  return { rows, changed: expected, columnIndexes, from: first.row.key, to: last.row.key };
}

function isInexact(value: StoredValue | null): boolean {
  return value instanceof InvalidText || isSuspect(value);
}

/** Whether a column holds what was read: storage class and bytes. */
function isSame(cell: Cell, expected: Cell): boolean {
  return Buffer.isBuffer(expected) ? Buffer.isBuffer(cell) && cell.equals(expected) : cell === expected;
}

/** The statement and its functions, on one connection. */
export class SqliteBatchWrite {
  readonly #db: Database.Database;
  readonly #statements = new Map<string, Database.Statement<unknown[]>>();
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
    db.function(
      'fieldseal_is_changed',
      { varargs: true, safeIntegers: true, directOnly: true },
      (...key: unknown[]) => (this.#isChanged(key as Cell[]) ? 1 : 0),
    );
  }

  /**
   * Writes the batch; the caller has a transaction, and knows that no trigger runs.
   * @returns false when nothing was done, since the file's text is not UTF-8
   * @throws MOVED_ON when a row is not as it was read; a part of the batch may be written then
   */
  write(table: SweptTable, part: RangePart, batch: BatchAtOnce): boolean {
    if (!this.#isUtf8) return false;
    this.#batch = batch;
    this.#met = 0;
    this.#set = batch.columnIndexes.map(() => 0);
    try {
      const { changes } = this.#statement(table, part, batch).run(
        ...[...batch.from, ...batch.to].map(({ value }) => value),
      );
      const areAllMet = batch.changed.length === batch.rows.length || this.#met === batch.rows.length;
      if (!areAllMet || changes !== batch.changed.length) throw MOVED_ON;
    } finally {
      this.#batch = null;
    }
    return true;
  }

  #statement(table: SweptTable, part: RangePart, batch: BatchAtOnce): Database.Statement<unknown[]> {
    const columns = sweptColumns(table).map(quoteName);
    const keys = keyExpressions(table, part);
    // The first of the written columns compares all that was read, the others the key alone.
    const set = batch.columnIndexes.map((columnIndex, place) => {
      const compared = place === 0 ? [...keys, ...columns] : keys;
      return `${columns[columnIndex]} = ${this.#setter(place)}(${compared.join(', ')})`;
    });
    const bound = (key: RowKey) => `(${key.map(({ type }) => PLACEHOLDERS[type]).join(', ')})`;
    const conditions = [
      `(${keys.join(', ')}) >= ${bound(batch.from)} AND (${keys.join(', ')}) <= ${bound(batch.to)}`,
      ...(part === 'key' ? [] : [nullKeyCondition(table)]),
      ...(batch.changed.length < batch.rows.length ? [`fieldseal_is_changed(${keys.join(', ')})`] : []),
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
  readonly #setters = new Set<string>();

  #isChanged(key: readonly Cell[]): boolean {
    const row = this.#batch?.rows[this.#met++];
    if (!row?.key.every((cell, i) => isSame(key[i] as Cell, cell))) throw MOVED_ON;
    return row.isChanged;
  }

  /** @param cells the key, and behind it what stands in the swept columns where that is to be compared */
  #next(place: number, cells: readonly Cell[]): Cell {
    const at = this.#set[place] as number;
    this.#set[place] = at + 1;
    const row = this.#batch?.changed[at];
    if (!row) throw MOVED_ON;
    const { key, values, written } = row;
    for (let i = 0; i < key.length; i++) if (!isSame(cells[i] as Cell, key[i] as Cell)) throw MOVED_ON;
    for (let i = key.length; i < cells.length; i++) {
      if (!isSame(cells[i] as Cell, values[i - key.length] as Cell)) throw MOVED_ON;
    }
    return written[place] as Cell;
  }
}

/** That a row has a NULL in its key. */
export function nullKeyCondition({ keyColumns }: SweptTable): string {
  return `(${keyColumns.map((key) => `${quoteName(key)} IS NULL`).join(' OR ')})`;
}
