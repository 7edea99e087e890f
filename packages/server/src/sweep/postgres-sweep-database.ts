/** Sweeping over PostgreSQL: keyset reads without locks, then one short transaction a batch, or a part of one. */
import { setTimeout } from 'node:timers/promises';
import { FieldsealError } from 'fieldseal';
import { lostRun } from './lease.js';
import { failuresOf, type WriteAtOnce, writeAtOnce, writeGroups } from './postgres-batch-write.js';
import { columnsInOne, columnsOf, keyOf, rowsOf } from './postgres-rows.js';
import {
  BUSY_MS,
  ConnectionLost,
  isBusy,
  longerWait,
  type PostgresQuery,
  type PostgresRow,
  type PostgresSession,
} from './postgres-session.js';
import {
  batchStatement,
  guardedUpdate,
  holdsRange,
  MISSED,
  type OwnNames,
  placeRange,
  type RangePlace,
  type Statement,
  selectCounts,
  selectLocked,
  selectNext,
  selectNextRows,
  selectStored,
} from './postgres-statements.js';
import { encodeRowKey, type RowKey } from './row-key.js';
import { quoteName } from './sql-tokens.js';
import type { BatchWork, Checkpoint, RangePart, SweepDatabase, SweptRow } from './sweep-database.js';
import { type PlannedRow, planOf } from './swept-row.js';
import type { PostgresSweptTable, SweptTable } from './swept-table.js';
import type { Tally } from './tally.js';

/** How often a row is written in all before it counts as skipped. */
const TRIES = 3;
const FIRST_WAIT_MS = 10;
/** Longer than a statement of a sweep may take. */
const STATEMENT_MS = 45_000;
/** How many connections in a row one batch may lose. */
const CONNECTIONS = 5;
/** After these a batch is written step by step: a row was changed meanwhile, or the table has rules (`feature_not_supported`). */
const REFUSALS = [MISSED, '0A000'];
/** How far a batch is that is committed in parts. */
interface BatchProgress {
  readonly done: number;
  readonly tally: Tally;
  /** Where the range stands. */
  readonly from: string | null;
}

/** Over open sessions; their owner closes them. */
export class PostgresSweepDatabase implements SweepDatabase {
  readonly batchMs = 100;
  // Larger ones hold their rows for longer, and have the collector of garbage copy more; a statement costs little beside so many.
  readonly batchRows = 2_000;
  readonly readsAhead = true;
  readonly hasRanges = true;
  readonly #session: PostgresSession;
  readonly #reader: PostgresSession;
  readonly #own: OwnNames;
  readonly #tables: ReadonlyMap<string, PostgresSweptTable>;
  /** Batches of which a part is committed: when the rest meets a lock for long, the same rows are given again. */
  readonly #begun = new WeakMap<readonly SweptRow[], BatchProgress>();

  /**
   * @param schema where the service's tables are
   * @param reader another session, so that the next rows come while a batch is written
   */
  constructor(session: PostgresSession, schema: string, tables: readonly PostgresSweptTable[], reader = session) {
    this.#session = session;
    this.#reader = reader;
    const own = (table: string) => `${quoteName(schema)}.${table}`;
    this.#own = {
      ranges: own('sweep_ranges'),
      failures: own('sweep_failures'),
    };
    this.#tables = new Map(tables.map((table) => [table.name, table]));
  }

  canStore(text: string): boolean {
    return !text.includes('\0');
  }

  async read(
    { name }: SweptTable,
    _part: RangePart,
    cursor: RowKey | null,
    upper: RowKey | null,
    limit: number,
  ): Promise<SweptRow[]> {
    const table = this.#table(name);
    const which = { cursor, upper, limit };
    const ask = ({ sql, parameters }: Statement) => this.#reader.query(sql, parameters);
    // The writer's, and from before the read: no version is taken for good over a connection that came after it.
    const { connection } = this.#session;
    const [answer] = (await ask(selectNext(table, which))) as [PostgresRow];
    const columns = columnsInOne(table, answer) ?? columnsOf(table, await ask(selectNextRows(table, which)));
    return rowsOf(table, columns, connection);
  }

  async count(
    { name }: SweptTable,
    _part: RangePart,
    cursor: RowKey | null,
    limit: number,
  ): Promise<{ records: number; last: RowKey } | null> {
    const table = this.#table(name);
    const { sql, parameters } = selectCounts(table, { cursor, upper: null, limit });
    const [answer] = await this.#reader.query(sql, parameters);
    if (!answer || answer['rows'] === 0) return null;
    return { records: Number(answer['records']), last: keyOf(table, answer) };
  }

  /**
   * A lock that an application holds halves the batch, down to a single row: what it does not hold is written, in
   * transactions that each end before the application could wait for long.
   */
  async commit(
    { name }: SweptTable,
    _part: RangePart,
    rows: readonly SweptRow[],
    work: BatchWork,
    checkpoint: Checkpoint,
  ): Promise<Tally> {
    const table = this.#table(name);
    let { done, tally, from } = this.#begun.get(rows) ?? { done: 0, tally: checkpoint.tally, from: checkpoint.from };
    // The cryptography happens here, before any lock is taken.
    const first = done;
    const planned = planOf(first === 0 ? rows : rows.slice(first), work);
    let size = Math.max(1, rows.length - done);
    let waitMs = FIRST_WAIT_MS;
    let stuckSinceMs = performance.now();
    for (;;) {
      const piece = planned.slice(done - first, done - first + size);
      const isLast = done + piece.length === rows.length;
      const cursor = isLast ? checkpoint.cursor : encodeRowKey((piece.at(-1) as PlannedRow).row.key);
      try {
        tally = await this.#commitPiece(table, piece, work, {
          ...checkpoint,
          from,
          cursor,
          tally,
          done: isLast && checkpoint.done,
        });
      } catch (error) {
        if (!isBusy(error) || performance.now() - stuckSinceMs > BUSY_MS) throw error;
        size = Math.max(1, Math.floor(piece.length / 2));
        await setTimeout(waitMs);
        waitMs = longerWait(waitMs);
        continue;
      }
      done += piece.length;
      size *= 2;
      waitMs = FIRST_WAIT_MS;
      stuckSinceMs = performance.now();
      from = cursor;
      this.#begun.set(rows, { done, tally, from });
      if (isLast) return tally;
    }
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  #table(name: string): PostgresSweptTable {
    return this.#tables.get(name) as PostgresSweptTable;
  }

  /** As one statement, or as one transaction; after a lost connection it is found out whether it took place, and done again if it did not. */
  async #commitPiece(
    table: PostgresSweptTable,
    planned: readonly PlannedRow[],
    work: BatchWork,
    checkpoint: Checkpoint,
  ): Promise<Tally> {
    const write = writeAtOnce(table, planned);
    let isAtOnce = write !== null;
    for (let connections = 1; ; connections++) {
      // Counted in a copy: a transaction that fails leaves the counts where the checkpoint is.
      const tally = structuredClone(checkpoint.tally);
      try {
        if (write && isAtOnce) {
          for (const { work: done } of planned) done.count(tally);
          if (await this.#writeAtOnce(table, write, checkpoint, tally)) return tally;
          isAtOnce = false;
          continue;
        }
        await this.#session.transaction(async (query) => {
          await this.#lockRange(query, checkpoint);
          const settled = await this.#writeRows(query, table, planned, work);
          if (table.hasTriggers && !(await isStored(query, table, settled))) throw changedByTrigger(table);
          for (const { work: done, isSkipped } of settled) done.count(tally, isSkipped);
          await this.#recordFailures(query, table, settled, checkpoint.runId);
          await this.#checkpoint(query, checkpoint, tally);
        });
        return tally;
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (await this.#tookPlace(checkpoint, tally, error)) return tally;
        if (connections === CONNECTIONS) throw error.told;
        // What was read before is another server's now, as far as anyone knows.
        isAtOnce = false;
      }
    }
  }

  /** False: it could not be written so, and nothing was. */
  async #writeAtOnce(
    table: PostgresSweptTable,
    write: WriteAtOnce,
    checkpoint: Checkpoint,
    tally: Tally,
  ): Promise<boolean> {
    const { runId, rangeId, fence, from } = checkpoint;
    const whole = { ...write, runId, rangeId, fence, from, place: placeOf(checkpoint, tally) };
    const { sql, parameters } = batchStatement(table, this.#own, whole);
    const written = await this.#session.once(sql, parameters, REFUSALS, write.connection);
    if (written?.length === 0) throw lostRun(runId);
    return written !== null;
  }

  /** A stop of the run and a successor wait here for the batch, or the batch finds that they were first. */
  async #lockRange(query: PostgresQuery, checkpoint: Checkpoint): Promise<void> {
    const parameters: unknown[] = [];
    const holds = holdsRange(checkpoint, (value) => `$${parameters.push(value)}`);
    const locked = await query(`SELECT FROM ${this.#own.ranges} WHERE ${holds} FOR NO KEY UPDATE`, parameters);
    if (locked.length !== 1) throw lostRun(checkpoint.runId);
  }

  /**
   * Writes what is to be written. Rows whose guard missed are read again, which locks them, and tried anew; what takes no
   * write even so (a trigger may refuse it) is skipped. Rows that are gone are left out of the answer.
   */
  async #writeRows(query: PostgresQuery, table: PostgresSweptTable, planned: readonly PlannedRow[], work: BatchWork) {
    const settled: (PlannedRow & { isSkipped: boolean })[] = [];
    let open = planned;
    for (let tries = 1; ; tries++) {
      const missed = await this.#update(query, table, open);
      settled.push(...open.filter((row) => !missed.has(row)).map((row) => ({ ...row, isSkipped: false })));
      if (missed.size === 0) return settled;
      if (tries === TRIES) return [...settled, ...[...missed].map((row) => ({ ...row, isSkipped: true }))];
      const { sql, parameters } = selectLocked(table, [...missed]);
      open = planOf(rowsOf(table, columnsOf(table, await query(sql, parameters)), null), work);
    }
  }

  /** One statement for each set of changed columns; the rows in the order of the key. Returns those that it missed. */
  async #update(
    query: PostgresQuery,
    table: PostgresSweptTable,
    planned: readonly PlannedRow[],
  ): Promise<Set<PlannedRow>> {
    const missed = new Set<PlannedRow>();
    for (const { columnIndexes, rows } of writeGroups(planned)) {
      const { sql, parameters } = guardedUpdate(table, columnIndexes, rows);
      const written = await query(sql, parameters);
      if (written.some(({ stored }) => stored !== true)) throw changedByTrigger(table);
      const places = new Set(written.map(({ i }) => i));
      for (const [i, row] of rows.entries()) if (!places.has(i + 1)) missed.add(row);
    }
    return missed;
  }

  async #recordFailures(
    query: PostgresQuery,
    table: PostgresSweptTable,
    settled: readonly PlannedRow[],
    runId: number,
  ): Promise<void> {
    const failures = failuresOf(table, settled);
    if (failures.length === 0) return;
    await query(
      `INSERT INTO ${this.#own.failures} (run_id, table_name, column_name, primary_key, reason)
       SELECT $1, $2, v.* FROM unnest($3::text[], $4::text[], $5::text[]) AS v ON CONFLICT DO NOTHING`,
      [
        runId,
        table.name,
        failures.map(({ column }) => column),
        failures.map(({ key }) => key),
        failures.map(({ reason }) => reason),
      ],
    );
  }

  async #checkpoint(query: PostgresQuery, checkpoint: Checkpoint, tally: Tally) {
    const parameters: unknown[] = [];
    const given = (value: unknown) => `$${parameters.push(value)}`;
    const sql = placeRange(this.#own, placeOf(checkpoint, tally), given);
    await query(`${sql} WHERE r.id = ${given(checkpoint.rangeId)}`, parameters);
  }

  /**
   * Whether the range stands where this checkpoint would have put it.
   * @throws what was told of the lost connection when that cannot be found out: the run is left to be resumed
   */
  async #tookPlace(checkpoint: Checkpoint, tally: Tally, { told }: ConnectionLost): Promise<boolean> {
    // The lost connection's statement may still be at work, and goes on without its client: its lock on the range is waited
    // for, as long as a statement may take.
    for (const startedMs = performance.now(); ; ) {
      try {
        await this.#session.query(`SELECT FROM ${this.#own.ranges} WHERE id = $1 FOR NO KEY UPDATE`, [
          checkpoint.rangeId,
        ]);
        break;
      } catch (error) {
        if (!isBusy(error)) throw error;
        if (performance.now() - startedMs > STATEMENT_MS) throw told;
      }
    }
    const { cursor, counts, state } = placeOf(checkpoint, tally);
    const rows = await this.#session.query(
      `SELECT FROM ${this.#own.ranges} WHERE id = $1 AND cursor IS NOT DISTINCT FROM $2 AND counts = $3 AND state = $4`,
      [checkpoint.rangeId, cursor, counts, state],
    );
    return rows.length === 1;
  }
}

/** What the range's row says after a batch. */
function placeOf({ cursor, done }: Checkpoint, tally: Tally): RangePlace {
  return { cursor, counts: JSON.stringify(tally), state: done ? 'done' : 'running' };
}

/** A trigger behind an update may change a value, or its row, after the update has told that it is stored. */
async function isStored(
  query: PostgresQuery,
  table: PostgresSweptTable,
  settled: readonly (PlannedRow & { readonly isSkipped: boolean })[],
): Promise<boolean> {
  for (const { columnIndexes, rows } of writeGroups(settled.filter(({ isSkipped }) => !isSkipped))) {
    const { sql, parameters } = selectStored(table, columnIndexes, rows);
    if ((await query(sql, parameters))[0]?.['n'] !== rows.length) return false;
  }
  return true;
}

function changedByTrigger({ name }: SweptTable): FieldsealError {
  return new FieldsealError(
    'ERR_TABLE_TRIGGERS',
    `${name}: a trigger changed what was written, so that it would not be read as it is; nothing of the batch is kept.`,
  );
}
