/** Sweeping over a SQLite file: keyset reads outside any lock, then one short BEGIN IMMEDIATE a batch. */
import type Database from 'better-sqlite3';
import { FieldsealError, type Stored } from 'fieldseal';
import { databaseError } from '../store/database-error.js';
import { LEASE_SECONDS, lostRun } from './lease.js';
import { describeRowKey, type KeyPart, type RowKey } from './row-key.js';
import { quoteName } from './sql-tokens.js';
import { batchAtOnce, type Cell, isSuspect, MOVED_ON, PLACEHOLDERS, SqliteBatchWrite } from './sqlite-batch-write.js';
import type { BatchWork, Checkpoint, RangePart, RowWork, SweepDatabase, SweptRow } from './sweep-database.js';
import { contextOf, planOf, ReadRow, recordsOf } from './swept-row.js';
import { type SweptTable, sweptColumns } from './swept-table.js';
import type { Tally } from './tally.js';
import { InvalidText, type StoredValue } from './transform.js';

/** A range is its worker's for a while after each batch. */
const LEASE = `lease_until = cast(unixepoch('now', 'subsec') * 1000 as integer) + ${1000 * LEASE_SECONDS}`;

/** Over an open file; its owner closes that by `close()`. */
export class SqliteSweepDatabase implements SweepDatabase {
  readonly batchMs = 20;
  readonly batchRows = 4_000;
  readonly readsAhead = false;
  readonly hasRanges = false;
  readonly #db: Database.Database;
  readonly #statements = new Map<string, Database.Statement<unknown[], Cell[]>>();
  readonly #batchWrite: SqliteBatchWrite | null;
  /** The guarded write of each shape of row. */
  readonly #writes = new Map<SweptTable, Map<string, Database.Statement<unknown[], Cell[]>>>();

  /** @param batchWrite of the same file; null: every row is written by a statement of its own */
  constructor(db: Database.Database, batchWrite: SqliteBatchWrite | null = new SqliteBatchWrite(db)) {
    this.#db = db;
    this.#batchWrite = batchWrite;
  }

  canStore(): boolean {
    return true;
  }

  /** Ranges have no end here: a table is one. */
  read(table: SweptTable, part: RangePart, cursor: RowKey | null, _upper: null, limit: number): SweptRow[] {
    const columns = sweptColumns(table).map(quoteName);
    const context = contextWith(table, part);
    return this.guarded(() =>
      this.#next(table, part, columns, cursor, limit).map((cells) => this.#toRow(table, part, cells, context)),
    );
  }

  count(
    table: SweptTable,
    part: RangePart,
    cursor: RowKey | null,
    limit: number,
  ): { records: number; last: RowKey } | null {
    const rows = this.#behind(table, part, cursor);
    const keys = keyExpressions(table, part).join(', ');
    // The last key of as many rows, and no row of another moment: both questions read one state of the file.
    const transaction = this.#db.transaction(() => {
      const counted = `SELECT ${recordsOf(table, quoteName)} AS records FROM ${rows.sql} ORDER BY ${keys} LIMIT ?`;
      const sums = this.#statement(`SELECT count(*), sum(records) FROM (${counted})`).get(
        ...rows.parameters,
        BigInt(limit),
      );
      const [found, records] = sums as [bigint, bigint | null];
      if (found === 0n) return null;
      const lastKey = `${selectKey(table, part)} FROM ${rows.sql} ORDER BY ${keys} LIMIT 1 OFFSET ?`;
      const last = this.#statement(lastKey).get(...rows.parameters, found - 1n) as Cell[];
      return { records: Number(records), last: keyOf(last, keyLength(table, part)) };
    });
    return this.guarded(() => transaction());
  }

  commit(
    table: SweptTable,
    part: RangePart,
    rows: readonly SweptRow[],
    work: BatchWork,
    checkpoint: Checkpoint,
  ): Tally {
    // The cryptography happens here, before the lock is taken.
    const planned = planOf(rows, work);
    const together = part === 'key' && this.#batchWrite ? batchAtOnce(planned) : null;
    const write = (isTogether: boolean) => {
      // Counted in a copy: a transaction that fails leaves the counts where the checkpoint is.
      const tally = structuredClone(checkpoint.tally);
      const transaction = this.#db.transaction(() => {
        const hasTriggers = this.#hasTriggers(table);
        const isWritten = isTogether && together !== null && !hasTriggers && this.#batchWrite?.write(table, together);
        for (const { row, work: first } of planned) {
          const done =
            isWritten || this.#write(table, part, row, first)
              ? { row, work: first }
              : this.#again(table, part, row, work);
          if (!done) continue; // Deleted since it was read: no record of this run.
          if (hasTriggers) this.#assertStored(table, part, done.row, done.work);
          done.work.count(tally);
          for (const failure of done.work.failures) this.#recordFailure(table, done.row, failure, checkpoint.runId);
        }
        this.#checkpoint(checkpoint, tally);
      });
      transaction.immediate();
      return tally;
    };
    return this.guarded(() => {
      try {
        return write(true);
      } catch (error) {
        if (error !== MOVED_ON) throw error;
        return write(false);
      }
    });
  }

  close(): void {
    this.#db.close();
  }

  #next(
    table: SweptTable,
    part: RangePart,
    columns: readonly string[],
    cursor: RowKey | null,
    limit: number,
  ): Cell[][] {
    const rows = this.#behind(table, part, cursor);
    const keys = keyExpressions(table, part).join(', ');
    const sql = `${[selectKey(table, part), ...columns].join(', ')} FROM ${rows.sql} ORDER BY ${keys} LIMIT ?`;
    return this.#statement(sql).all(...rows.parameters, BigInt(limit));
  }

  /** The rows behind a cursor, as SQL from the table's name on. */
  #behind(table: SweptTable, part: RangePart, cursor: RowKey | null): { sql: string; parameters: unknown[] } {
    const keys = keyExpressions(table, part);
    const conditions =
      part === 'key'
        ? keys.map((key) => `${key} IS NOT NULL`)
        : [`(${table.keyColumns.map((key) => `${quoteName(key)} IS NULL`).join(' OR ')})`];
    if (cursor) conditions.push(`(${keys.join(', ')}) > (${cursor.map(({ type }) => PLACEHOLDERS[type]).join(', ')})`);
    return {
      sql: `${quoteName(table.name)} WHERE ${conditions.join(' AND ')}`,
      parameters: (cursor ?? []).map(({ value }) => value),
    };
  }

  /**
   * A guarded write missed: a concurrent write won. Inside the lock nobody else can write, so that reading, transforming
   * and writing once more settles it; null when the row is gone.
   */
  #again(table: SweptTable, part: RangePart, { key }: SweptRow, work: BatchWork) {
    const columns = sweptColumns(table).map(quoteName);
    const sql = `${[selectKey(table, part), ...columns].join(', ')} FROM ${quoteName(table.name)} WHERE ${keyCondition(table, part, key)}`;
    const cells = this.#statement(sql).get(...key.map(({ value }) => value));
    if (!cells) return null;
    const row = this.#toRow(table, part, cells);
    const [renewed] = work([row]) as [RowWork];
    if (this.#write(table, part, row, renewed)) return { row, work: renewed };
    throw new FieldsealError(
      'ERR_DATABASE_FAILED',
      `${table.name}: the row ${describeRowKey(key)} does not take its new value although nobody else writes; a trigger may refuse it.`,
    );
  }

  #write(table: SweptTable, part: RangePart, { key, values }: SweptRow, { changes }: RowWork): boolean {
    if (changes.length === 0) return true;
    const parameters: unknown[] = [];
    // What of a row decides its statement; most rows of a table have the same.
    let shape: string = part;
    for (const { columnIndex, value } of changes) {
      parameters.push(value);
      shape += ` ${columnIndex}`;
    }
    for (const { type, value } of key) {
      parameters.push(value);
      shape += ` ${type}`;
    }
    for (const value of values) {
      parameters.push(value instanceof InvalidText ? value.bytes : value);
      shape += value instanceof InvalidText ? ' invalid' : ` ${value === null ? 'null' : storageClass(value)}`;
    }
    const writes = this.#writes.get(table) ?? new Map<string, Database.Statement<unknown[], Cell[]>>();
    this.#writes.set(table, writes);
    let statement = writes.get(shape);
    if (!statement) {
      const columns = sweptColumns(table).map(quoteName);
      const set = changes.map(({ columnIndex }) => `${columns[columnIndex]} = ?`).join(', ');
      const guard = values.map((value, i) => guardOf(columns[i] as string, value));
      statement = this.#statement(
        `UPDATE ${quoteName(table.name)} SET ${set} WHERE ${[keyCondition(table, part, key), ...guard].join(' AND ')}`,
      );
      writes.set(shape, statement);
    }
    return statement.run(...parameters).changes === 1;
  }

  /** Inside the transaction: also one that was made since the run began. */
  #hasTriggers({ name }: SweptTable): boolean {
    const sql = "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE LIMIT 1";
    return this.#statement(sql).get(name) !== undefined;
  }

  /** A trigger may change a value after it was written, or its row. */
  #assertStored(table: SweptTable, part: RangePart, { key }: SweptRow, { changes }: RowWork): void {
    if (changes.length === 0) return;
    const columns = sweptColumns(table).map(quoteName);
    const stored = changes.map(({ columnIndex, value }) => guardOf(columns[columnIndex] as string, value));
    const sql = `SELECT 1 FROM ${quoteName(table.name)} WHERE ${[keyCondition(table, part, key), ...stored].join(' AND ')}`;
    if (this.#statement(sql).get(...key.map(({ value }) => value), ...changes.map(({ value }) => value))) return;
    throw new FieldsealError(
      'ERR_TABLE_TRIGGERS',
      `${table.name}: a trigger changed what was written, so that it would not be read as it is; nothing of the batch is kept.`,
    );
  }

  #recordFailure(table: SweptTable, row: SweptRow, failure: RowWork['failures'][number], runId: number): void {
    this.#statement(
      `INSERT INTO sweep_failures (run_id, table_name, column_name, primary_key, reason) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
    ).run(BigInt(runId), table.name, sweptColumns(table)[failure.columnIndex], describeRowKey(row.key), failure.reason);
  }

  /** The fence is checked by the very statement that writes, in the same transaction as the rows. */
  #checkpoint({ runId, fence, rangeId, from, cursor, done }: Checkpoint, tally: Tally): void {
    const { changes } = this.#statement(
      `UPDATE sweep_ranges SET cursor = ?, counts = ?, ${done ? "state = 'done', owner = NULL, lease_until = NULL" : LEASE}
       WHERE id = ? AND fence = ? AND state = 'running' AND cursor IS ?`,
    ).run(cursor, JSON.stringify(tally), BigInt(rangeId), BigInt(fence), from);
    if (changes === 1) return;
    throw lostRun(runId);
  }

  #statement(sql: string): Database.Statement<unknown[], Cell[]> {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare<unknown[], Cell[]>(sql);
      // Raw rows keep columns of the same name apart; safe integers do not round those above 2^53.
      if (statement.reader) statement.raw(true).safeIntegers(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Runs `work` on the file; a driver's error comes out as a FieldsealError. */
  guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw databaseError(error, `The database ${this.#db.name}`);
    }
  }

  #toRow(table: SweptTable, part: RangePart, cells: readonly Cell[], context = contextWith(table, part)): SweptRow {
    const key = keyOf(cells, keyLength(table, part));
    const values: (StoredValue | null)[] = cells.slice(2 * key.length);
    for (let i = 0; i < values.length; i++) {
      const cell = values[i];
      // better-sqlite3 replaces invalid UTF-8, which would lose bytes: such a value is taken as the bytes it is.
      if (isSuspect(cell)) values[i] = this.#exactText(table, part, key, i, cell);
    }
    return new ReadRow({ key, values }, context);
  }

  #exactText(table: SweptTable, part: RangePart, key: RowKey, columnIndex: number, text: string): StoredValue {
    const column = quoteName(sweptColumns(table)[columnIndex] as string);
    const sql = `SELECT CAST(${column} AS BLOB) FROM ${quoteName(table.name)} WHERE ${keyCondition(table, part, key)}`;
    const bytes = this.#statement(sql).get(...key.map(({ value }) => value))?.[0];
    return Buffer.isBuffer(bytes) && !bytes.equals(Buffer.from(text, 'utf8')) ? new InvalidText(bytes) : text;
  }
}

/**
 * That a column holds what was read or written, by storage class and bytes: under the column's own collation, NOCASE say, a
 * concurrent write could look like the old value.
 */
function guardOf(column: string, value: StoredValue | Stored | null): string {
  if (value === null) return `${column} IS ?`;
  if (value instanceof InvalidText) return `CAST(${column} AS BLOB) = ? AND typeof(${column}) = 'text'`;
  return `${column} = ? COLLATE BINARY AND typeof(${column}) = '${storageClass(value)}'`;
}

function storageClass(value: string | Uint8Array | bigint | number): string {
  if (typeof value === 'string') return 'text';
  if (value instanceof Uint8Array) return 'blob';
  return typeof value === 'bigint' ? 'integer' : 'real';
}

/** What stands for a key in SQL: its columns, or the name of the rowid. */
function keyExpressions(table: SweptTable, part: RangePart): string[] {
  return part === 'key' ? table.keyColumns.map(quoteName) : [table.rowidName as string];
}

/** What makes the context of a row that was read. */
function contextWith(table: SweptTable, part: RangePart) {
  return ({ key, values }: Pick<SweptRow, 'key' | 'values'>) => contextOf(table, part, key, values);
}

/** The key stands first in a row, each part as its value and, of text, the bytes of that. */
function keyOf(cells: readonly Cell[], parts: number): RowKey {
  const key = new Array<KeyPart>(parts);
  for (let i = 0; i < parts; i++) {
    const value = cells[2 * i];
    if (typeof value === 'bigint') key[i] = { type: 'integer', value };
    else if (typeof value === 'number') key[i] = { type: 'real', value };
    else if (typeof value === 'string') key[i] = { type: 'text', value: cells[2 * i + 1] as Buffer };
    else key[i] = { type: 'blob', value: value as Buffer };
  }
  return key;
}

/** How many columns a key has. */
function keyLength(table: SweptTable, part: RangePart): number {
  return part === 'key' ? table.keyColumns.length : 1;
}

/** What {@link keyOf} reads. */
function selectKey(table: SweptTable, part: RangePart): string {
  const keys = keyExpressions(table, part);
  return `SELECT ${keys.map((key) => `${key}, CASE typeof(${key}) WHEN 'text' THEN CAST(${key} AS BLOB) END`).join(', ')}`;
}

function keyCondition(table: SweptTable, part: RangePart, key: RowKey): string {
  return keyExpressions(table, part)
    .map((expression, i) => `${expression} = ${PLACEHOLDERS[(key[i] as KeyPart).type]}`)
    .join(' AND ');
}
