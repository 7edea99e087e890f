/** What a sweep asks of the database that it walks over: the same of SQLite and of PostgreSQL. */
import type { ContextRow, Stored } from 'fieldseal';
import type { SweepRange } from '../store/store.js';
import type { RowKey } from './row-key.js';
import type { SweptTable } from './swept-table.js';
import type { Tally } from './tally.js';
import type { FailureReason, StoredValue } from './transform.js';

/** A row as read: its key, and its value in each of `sweptColumns` (null: NULL). */
export interface SweptRow {
  readonly key: RowKey;
  readonly values: readonly (StoredValue | null)[];
  /** What values may be bound to: the columns of the primary key, tenant and subject by their declared names. */
  readonly context: ContextRow;
}

/** A new value for one of `sweptColumns`. */
export interface ColumnChange {
  readonly columnIndex: number;
  readonly value: Stored | null;
}

/** What a batch does to one row: its changes, what it counts, what it could not read. Made again when a row moved on. */
export interface RowWork {
  readonly changes: readonly ColumnChange[];
  readonly failures: readonly { readonly columnIndex: number; readonly reason: FailureReason }[];
  /** Adds the row to the counts; with `isSkipped`, what was to be written counts as skipped. */
  count(tally: Tally, isSkipped?: boolean): void;
}

/** What is to be done to rows, in their order. */
export type BatchWork = (rows: readonly SweptRow[]) => readonly RowWork[];

/** Where a range stands after a batch; commits with the batch's rows. */
export interface Checkpoint {
  readonly runId: number;
  readonly rangeId: number;
  /** The range's, as it was claimed. */
  readonly fence: number;
  /** Where the range stood before this batch: a statement that comes late, after others, changes nothing. */
  readonly from: string | null;
  readonly cursor: string | null;
  readonly done: boolean;
  /** The range's counts before this batch. */
  readonly tally: Tally;
}

/** The part of a table that a range walks. */
export type RangePart = SweepRange['part'];

/** SQLite answers at once, PostgreSQL later. */
export type Awaitable<T> = T | Promise<T>;

/** The database under a sweep. Reading holds no lock for longer than one batch. */
export interface SweepDatabase {
  /** Whether the database's text can hold a value; PostgreSQL's has no NUL. */
  canStore(text: string): boolean;
  /** How long a batch may hold its locks, in milliseconds: its rows' on PostgreSQL, the whole file's on SQLite. */
  readonly batchMs: number;
  /** How many rows a batch has at most. */
  readonly batchRows: number;
  /** Whether one batch can be read while another is written. */
  readonly readsAhead: boolean;
  /**
   * The next `limit` rows behind `cursor` (null: from the beginning) up to `upper`, itself included (null: without end), in the
   * order of the key; fewer only at the end.
   */
  read(
    table: SweptTable,
    part: RangePart,
    cursor: RowKey | null,
    upper: RowKey | null,
    limit: number,
  ): Awaitable<SweptRow[]>;
  /** Whether a table can be cut into ranges that are walked at the same time. */
  readonly hasRanges: boolean;
  /** How many records the next `limit` rows behind `cursor` have, and the last one's key; null when there are none. */
  count(
    table: SweptTable,
    part: RangePart,
    cursor: RowKey | null,
    limit: number,
  ): Awaitable<{ records: number; last: RowKey } | null>;
  /**
   * Writes a batch, its failures and its checkpoint in one transaction. Every write is guarded by the row's version or by
   * all of its values that were read, since a value is bound to its row's context and an index to its row's fields; a row
   * that a concurrent write won is read again and `work` is asked anew, and a row that takes no write after that counts
   * as skipped (SQLite: fails). PostgreSQL cuts a batch that meets locks into several transactions, each with
   * its own checkpoint. `fence` must still be the range's.
   * Returns the range's counts after the batch; `checkpoint.tally` stays as it is.
   * @throws FieldsealError `ERR_RUN_LOST` when the fence is not the range's any more; nothing is written then
   */
  commit(
    table: SweptTable,
    part: RangePart,
    rows: readonly SweptRow[],
    work: BatchWork,
    checkpoint: Checkpoint,
  ): Awaitable<Tally>;
  close(): Awaitable<void>;
}
