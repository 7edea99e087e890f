/** Sweeping over PostgreSQL: keyset reads without locks, then one short transaction a batch, or a part of one. */
import { setTimeout } from 'node:timers/promises';
import { FieldsealError } from 'fieldseal';
import {
  BUSY_MS,
  ConnectionLost,
  isBusy,
  longerWait,
  type PostgresQuery,
  type PostgresSession,
} from './postgres-session.js';
import {
  guardedUpdate,
  keyOf,
  type Statement,
  selectCounts,
  selectLocked,
  selectNext,
  valuesOf,
} from './postgres-statements.js';
import { describeRowKey, encodeRowKey, type RowKey } from './row-key.js';
import { quoteName } from './sql-tokens.js';
import type { BatchWork, Checkpoint, RangePart, SweepDatabase, SweptRow } from './sweep-database.js';
import { contextOf, type PlannedRow, planOf } from './swept-row.js';
import { type PostgresSweptTable, type SweptTable, sweptColumns } from './swept-table.js';
import type { Tally } from './tally.js';

const LEASE_MS = 15_000;
/** How often a row is written in all before it counts as skipped. */
const TRIES = 3;
const FIRST_WAIT_MS = 10;
/** How many connections in a row one batch may lose. */
const CONNECTIONS = 5;

/** How far a batch is that is committed in parts. */
interface BatchProgress {
  readonly done: number;
  readonly tally: Tally;
}

/** Over an open session; its owner closes that by `close()`. */
export class PostgresSweepDatabase implements SweepDatabase {
  readonly #session: PostgresSession;
  readonly #schema: string;
  readonly #tables: ReadonlyMap<string, PostgresSweptTable>;
  /** Batches of which a part is committed: when the rest meets a lock for long, the same rows are given again. */
  readonly #begun = new WeakMap<readonly SweptRow[], BatchProgress>();

  /** @param schema where the service's tables are */
  constructor(session: PostgresSession, schema: string, tables: readonly PostgresSweptTable[]) {
    this.#session = session;
    this.#schema = schema;
    this.#tables = new Map(tables.map((table) => [table.name, table]));
  }

  canStore(text: string): boolean {
    return !text.includes('\0');
  }

  async read({ name }: SweptTable, _part: RangePart, cursor: RowKey | null, limit: number): Promise<SweptRow[]> {
    const table = this.#table(name);
    return (await this.#query(selectNext(table, cursor, limit))).map((row) => toRow(table, row));
  }

  async count(
    { name }: SweptTable,
    _part: RangePart,
    cursor: RowKey | null,
    limit: number,
  ): Promise<{ records: number; last: RowKey } | null> {
    const table = this.#table(name);
    const rows = await this.#query(selectCounts(table, cursor, limit));
    const last = rows.at(-1);
    if (!last) return null;
    return { records: rows.reduce((sum, { records }) => sum + Number(records), 0), last: keyOf(table, last) };
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
    let { done, tally } = this.#begun.get(rows) ?? { done: 0, tally: checkpoint.tally };
    // The cryptography happens here, before any lock is taken.
    const first = done;
    const planned = planOf(rows.slice(first), work);
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
      this.#begun.set(rows, { done, tally });
      if (isLast) return tally;
    }
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  #table(name: string): PostgresSweptTable {
    return this.#tables.get(name) as PostgresSweptTable;
  }

  #query({ sql, parameters }: Statement) {
    return this.#session.query(sql, parameters);
  }

  /** One transaction; after a lost connection it is found out whether it took place, and done again if it did not. */
  async #commitPiece(
    table: PostgresSweptTable,
    planned: readonly PlannedRow[],
    work: BatchWork,
    checkpoint: Checkpoint,
  ): Promise<Tally> {
    for (let connections = 1; ; connections++) {
      // Counted in a copy: a transaction that fails leaves the counts where the checkpoint is.
      const tally = structuredClone(checkpoint.tally);
      try {
        await this.#session.transaction(async (query) => {
          await this.#lockRun(query, checkpoint);
          const settled = await this.#writeRows(query, table, planned, work);
          for (const { work: done, isSkipped } of settled) done.count(tally, isSkipped);
          await this.#recordFailures(query, table, settled, checkpoint.runId);
          await this.#checkpoint(query, checkpoint, tally);
        });
        return tally;
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (await this.#tookPlace(checkpoint, tally)) return tally;
        if (connections === CONNECTIONS) throw error.told;
      }
    }
  }

  /** A stopped run and a successor wait here for the batch, or the batch finds that they were first. */
  async #lockRun(query: PostgresQuery, { runId, fence }: Checkpoint): Promise<void> {
    const sql = `SELECT FROM ${this.#own('encryption_key_rotations')}
      WHERE id = $1 AND fence = $2 AND rotation_status = 'in_progress' FOR NO KEY UPDATE`;
    if ((await query(sql, [runId, fence])).length === 1) return;
    throw new FieldsealError('ERR_RUN_LOST', `Run ${runId} was stopped or taken over by another process.`);
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
      const { sql, parameters } = selectLocked(
        table,
        [...missed].map(({ row }) => row),
      );
      open = planOf(
        (await query(sql, parameters)).map((cells) => toRow(table, cells)),
        work,
      );
    }
  }

  /** One statement for each set of changed columns; the rows in the order of the key. Returns those that it missed. */
  async #update(
    query: PostgresQuery,
    table: PostgresSweptTable,
    planned: readonly PlannedRow[],
  ): Promise<Set<PlannedRow>> {
    const bySet = new Map<string, PlannedRow[]>();
    for (const row of planned.filter(({ work }) => work.changes.length > 0)) {
      const set = row.work.changes.map(({ columnIndex }) => columnIndex).join();
      bySet.set(set, [...(bySet.get(set) ?? []), row]);
    }
    const missed = new Set<PlannedRow>();
    for (const rows of bySet.values()) {
      const columnIndexes = (rows[0] as PlannedRow).work.changes.map(({ columnIndex }) => columnIndex);
      const writes = rows.map(({ row: { key, values }, work: { changes } }) => ({ key, values, changes }));
      const { sql, parameters } = guardedUpdate(table, columnIndexes, writes);
      const written = await query(sql, parameters);
      if (written.some(({ stored }) => stored !== true)) {
        throw new FieldsealError(
          'ERR_TABLE_TRIGGERS',
          `${table.name}: a trigger changed what was written, so that it would not be read as it is; nothing of the batch is kept.`,
        );
      }
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
    const failures = settled.flatMap(({ row, work }) =>
      work.failures.map(({ columnIndex, reason }) => ({
        column: sweptColumns(table)[columnIndex],
        key: describeRowKey(row.key),
        reason,
      })),
    );
    if (failures.length === 0) return;
    await query(
      `INSERT INTO ${this.#own('sweep_failures')} (run_id, table_name, column_name, primary_key, reason)
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

  async #checkpoint(query: PostgresQuery, { runId, rangeId, cursor, done, runCounts }: Checkpoint, tally: Tally) {
    const { total, rotated, current, skipped, failed } = runCounts(tally);
    await query(
      `UPDATE ${this.#own('encryption_key_rotations')} SET total_records = greatest(total_records, $2), rotated_records = $3,
         current_records = $4, skipped_records = $5, failed_records = $6, updated_at = clock_timestamp(),
         lease_until = floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + ${LEASE_MS}
       WHERE id = $1`,
      [runId, total, rotated, current, skipped, failed],
    );
    await query(`UPDATE ${this.#own('sweep_ranges')} SET cursor = $2, counts = $3, state = $4 WHERE id = $1`, [
      rangeId,
      cursor,
      JSON.stringify(tally),
      done ? 'done' : 'open',
    ]);
  }

  /** Whether the range stands where this checkpoint would have put it. */
  async #tookPlace({ rangeId, cursor, done }: Checkpoint, tally: Tally): Promise<boolean> {
    const rows = await this.#session.query(
      `SELECT FROM ${this.#own('sweep_ranges')} WHERE id = $1 AND cursor IS NOT DISTINCT FROM $2 AND counts = $3 AND state = $4`,
      [rangeId, cursor, JSON.stringify(tally), done ? 'done' : 'open'],
    );
    return rows.length === 1;
  }

  #own(table: string): string {
    return `${quoteName(this.#schema)}.${table}`;
  }
}

function toRow(table: PostgresSweptTable, row: Record<string, unknown>): SweptRow {
  const key = keyOf(table, row);
  const values = valuesOf(table, row);
  return { key, values, context: contextOf(table, 'key', contextKey(table, key), values) };
}

/** A `bytea` key travels as its text; values are bound to its bytes. */
function contextKey({ keys }: PostgresSweptTable, key: RowKey): RowKey {
  return key.map((part, i) => {
    if (keys[i]?.castType !== 'bytea' || part.type !== 'text') return part;
    return { type: 'blob', value: Buffer.from(part.value.toString('utf8').slice(2), 'hex') };
  });
}
