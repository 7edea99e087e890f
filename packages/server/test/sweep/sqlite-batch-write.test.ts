import type Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeRowKey } from '../../src/sweep/row-key.js';
import { type BatchAtOnce, SqliteBatchWrite } from '../../src/sweep/sqlite-batch-write.js';
import { sqlitePreflight } from '../../src/sweep/sqlite-preflight.js';
import { SqliteSweepDatabase } from '../../src/sweep/sqlite-sweep-database.js';
import type { BatchWork, RangePart, RowWork } from '../../src/sweep/sweep-database.js';
import type { SweptTable } from '../../src/sweep/swept-table.js';
import { countOutcome, emptyTally } from '../../src/sweep/tally.js';
import { modelOf } from './run-under-way.js';
import { withSqlite } from './with-sqlite.js';

/** What a sweep keeps beside an application's tables, as far as a batch writes it. */
const BOOKKEEPING = `
  CREATE TABLE sweep_ranges (id INTEGER PRIMARY KEY, fence, state, cursor, counts, owner, lease_until);
  INSERT INTO sweep_ranges VALUES (1, 1, 'running', NULL, '', 'driver', 0);
  CREATE TABLE sweep_failures (run_id, table_name, column_name, primary_key, reason,
    UNIQUE (run_id, table_name, column_name, primary_key));`;

/** Counts the batches that one statement wrote. */
class CountedBatches extends SqliteBatchWrite {
  written = 0;

  override write(table: SweptTable, batch: BatchAtOnce): boolean {
    const isWritten = super.write(table, batch);
    if (isWritten) this.written++;
    return isWritten;
  }
}

/** Puts a text in the place of each value, one that tells row and column; leaves some, and calls others unreadable. */
const work: BatchWork = (rows) =>
  rows.map(({ key, values }): RowWork => {
    const outcomes = values.map((value) => {
      if (value === null || value === 'left') return null;
      if (typeof value !== 'string') return { kind: 'failed' as const, reason: 'not_text' as const };
      return { kind: 'write' as const, value: `${describeRowKey(key)} had ${value}`, holds: 'v1' };
    });
    return {
      changes: outcomes.flatMap((outcome, columnIndex) =>
        outcome?.kind === 'write' ? [{ columnIndex, value: outcome.value }] : [],
      ),
      failures: outcomes.flatMap((outcome, columnIndex) =>
        outcome?.kind === 'failed' ? [{ columnIndex, reason: outcome.reason }] : [],
      ),
      count(tally) {
        for (const [i, outcome] of outcomes.entries()) {
          if (outcome) countOutcome(tally, i === 0 ? 'c' : 'd', outcome);
        }
      },
    };
  });

interface Swept {
  readonly sql: string;
  readonly primaryKey: readonly string[];
  readonly part?: RangePart;
  /** Between reading and writing. */
  readonly meanwhile?: string;
}

/** What is in the file after one batch over all rows of a part of `t`, and how many batches one statement wrote. */
function sweptOnce({ sql, primaryKey, part = 'key', meanwhile = '' }: Swept, isByRow: boolean) {
  return withSqlite(`PRAGMA synchronous = OFF; ${sql}; ${BOOKKEEPING}`, (db, connect) => {
    const model = modelOf({ sql, primaryKey, columns: ['c', 'd'] });
    const [table] = sqlitePreflight(db, model, { kind: 'encrypt', allowTriggers: true }).tables as [SweptTable];
    const batches = new CountedBatches(db);
    const database = new SqliteSweepDatabase(db, isByRow ? null : batches);
    const rows = database.read(table, part, null, null, 1000);
    connect().exec(meanwhile);
    const checkpoint = { runId: 1, rangeId: 1, fence: 1, from: null, cursor: null, done: true };
    const tally = database.commit(table, part, rows, work, { ...checkpoint, tally: emptyTally(['c', 'd']) });
    return { left: { tally, rows: contents(db, primaryKey), failures: failures(db) }, written: batches.written };
  });
}

function contents(db: Database.Database, primaryKey: readonly string[]): unknown[] {
  const cells = [...primaryKey, 'c', 'd'].map((name) => `typeof(${name}), hex(CAST(${name} AS BLOB))`);
  return db
    .prepare(`SELECT ${cells.join(', ')} FROM t ORDER BY 2, 1, 4, 3, 6`)
    .raw()
    .all();
}

function failures(db: Database.Database): unknown[] {
  return db.prepare('SELECT column_name, primary_key, reason FROM sweep_failures ORDER BY 1, 2').raw().all();
}

/** Sweeps by one statement and row by row, expects the same of both. @returns whether the one statement wrote the batch */
function sameBothWays(swept: Swept): boolean {
  const [together, byRow] = [sweptOnce(swept, false), sweptOnce(swept, true)];
  expect(together.left).toEqual(byRow.left);
  return together.written > 0;
}

const key = fc.constantFrom('1', '2', '3', '-1', '1.5', "'1'", "'a'", "'A'", "'b'", "''", "x'61'", "x'ff'", 'NULL');
const unusualKey = fc.constantFrom(
  '9007199254740992',
  '9007199254740993',
  "CAST(x'ff' AS TEXT)",
  "CAST(x'fe' AS TEXT)",
);
const value = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("'one'", "'two'", "'One'", "'one '", "'left'", 'NULL') },
  { weight: 1, arbitrary: fc.constantFrom("x'6f6e65'", "'\ufffd'", "CAST(x'ff' AS TEXT)", "''", "'a' || char(0)") },
);
const column = fc.constantFrom('TEXT', 'TEXT COLLATE NOCASE', 'BLOB', '');
const row = fc.tuple(fc.oneof({ weight: 6, arbitrary: key }, { weight: 1, arbitrary: unusualKey }), key, value, value);
const change = fc.oneof(
  fc.tuple(value, value, key).map(([c, d, id]) => `UPDATE t SET c = ${c}, d = ${d} WHERE a IS ${id};`),
  value.map((d) => `UPDATE t SET d = ${d} WHERE c = 'one';`),
  fc.tuple(key, key).map(([id, other]) => `UPDATE OR IGNORE t SET a = ${other} WHERE a IS ${id};`),
  key.map((id) => `DELETE FROM t WHERE a IS ${id};`),
  row.map((cells) => `INSERT OR IGNORE INTO t VALUES (${cells.join(', ')});`),
  fc.constant('UPDATE t SET c = CAST(c AS BLOB);'),
  fc.constant(
    'CREATE TRIGGER IF NOT EXISTS copies AFTER UPDATE ON t BEGIN UPDATE sweep_ranges SET owner = new.c; END;',
  ),
);
const swept = fc.record({
  types: fc.tuple(fc.constantFrom('INT', 'TEXT', 'TEXT COLLATE NOCASE', 'REAL', 'BLOB', ''), column, column),
  keys: fc.constantFrom(['a'], ['a', 'b'], ['b', 'a']),
  suffix: fc.constantFrom('', 'WITHOUT ROWID'),
  rows: fc.array(row, { maxLength: 12 }),
  meanwhile: fc.oneof(
    fc.constant(''),
    fc.array(change, { maxLength: 2 }).map((changes) => changes.join(' ')),
  ),
  part: fc.constantFrom<RangePart[]>('key', 'key', 'null-key'),
});

describe('a batch that one statement writes', () => {
  it('leaves a table as it would be row by row, whatever stands in it and is written meanwhile', () => {
    let written = 0;
    fc.assert(
      fc.property(swept, ({ types: [a, c, d], keys, suffix, rows, meanwhile, part }) => {
        const inserts = rows.map((cells) => `INSERT OR IGNORE INTO t VALUES (${cells.join(', ')});`).join('\n');
        const sql = `CREATE TABLE t (a ${a}, b, c ${c}, d ${d}, PRIMARY KEY (${keys.join(', ')})) ${suffix}; ${inserts}`;
        // Without a rowid no key holds NULL.
        const walked = suffix === '' ? part : 'key';
        if (sameBothWays({ sql, primaryKey: keys, part: walked, meanwhile })) written++;
      }),
      { numRuns: 150 },
    );
    expect(written).toBeGreaterThan(0);
  });

  const table = (rows: string) => ({
    sql: `CREATE TABLE t (a INTEGER PRIMARY KEY, c TEXT, d TEXT); INSERT INTO t VALUES ${rows}`,
    primaryKey: ['a'],
  });
  const three = table("(1, 'one', NULL), (2, 'left', NULL), (3, 'three', 'd')");

  it('is one of a table where nobody else writes, with rows that stay as they are', () => {
    expect(sameBothWays(three)).toBe(true);
  });

  it('is one, too, where a row that was to stay as it is was changed: its value is not touched', () => {
    expect(sameBothWays({ ...three, meanwhile: "UPDATE t SET c = 'later' WHERE a = 2" })).toBe(true);
  });

  it('is none of rows with a NULL in their key', () => {
    const sql =
      "CREATE TABLE t (a TEXT PRIMARY KEY, c TEXT, d TEXT); INSERT INTO t VALUES (NULL, 'c', 'd'), (NULL, 'e', 'f')";
    expect(sameBothWays({ sql, primaryKey: ['a'], part: 'null-key' })).toBe(false);
  });

  it.each([
    ['changes a value', "UPDATE t SET c = 'later' WHERE a = 3"],
    ['changes a value of a row that changes in another column', "UPDATE t SET d = 'later' WHERE a = 1"],
    ['deletes the last row', 'DELETE FROM t WHERE a = 3'],
    ['swaps two rows', 'UPDATE t SET a = -a; UPDATE t SET a = 4 + a'],
    ['puts a row between', "UPDATE t SET a = 30 WHERE a = 3; INSERT INTO t VALUES (3, 'new', 'new')"],
    ['makes a trigger', 'CREATE TRIGGER looks AFTER UPDATE ON t BEGIN SELECT 1; END'],
  ])('is none once somebody %s', (_what, meanwhile) => {
    expect(sameBothWays({ ...three, meanwhile })).toBe(false);
  });

  it.each([
    ['text that is no UTF-8', "CAST(x'ff' AS TEXT)"],
    ['text that looks like what the driver makes of such', "'\ufffd'"],
  ])('is none with %s', (_what, sql) => {
    expect(sameBothWays(table(`(1, 'one', NULL), (2, ${sql}, NULL)`))).toBe(false);
  });

  it('is none in a file whose text is UTF-16', () => {
    expect(sameBothWays({ ...three, sql: `PRAGMA encoding = 'UTF-16le'; ${three.sql}` })).toBe(false);
  });
});
