import type Database from 'better-sqlite3';
import { defineModel, encryptedString } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { decodeRowKey, describeRowKey, encodeRowKey, type RowKey } from '../../src/sweep/row-key.js';
import { sqlitePreflight } from '../../src/sweep/sqlite-preflight.js';
import { SqliteSweepDatabase } from '../../src/sweep/sqlite-sweep-database.js';
import type { RangePart, SweptRow } from '../../src/sweep/sweep-database.js';
import type { SweptTable } from '../../src/sweep/swept-table.js';
import { InvalidText } from '../../src/sweep/transform.js';
import { withSqlite } from './with-sqlite.js';

const BATCH_ROWS = 3;

function sweptTable(db: Database.Database, primaryKey: string | readonly string[]): SweptTable {
  const model = defineModel({ t: { primaryKey, columns: { c: encryptedString() } } });
  return sqlitePreflight(db, model, { kind: 'encrypt', allowTriggers: false }).tables[0] as SweptTable;
}

/** Walks the way a run does: batch after batch, with the cursor through its text each time. */
function walk(database: SqliteSweepDatabase, table: SweptTable, part: RangePart): SweptRow[] {
  const rows: SweptRow[] = [];
  for (let cursor: RowKey | null = null; ; ) {
    const batch = database.read(table, part, cursor, null, BATCH_ROWS);
    expect(batch.length).toBeLessThanOrEqual(BATCH_ROWS);
    rows.push(...batch);
    if (batch.length < BATCH_ROWS) return rows;
    cursor = decodeRowKey(encodeRowKey(batch.at(-1)?.key as RowKey));
  }
}

/**
 * What a walk over `t` meets: the values of its column `c`, which the tests number in the order of their insertion, and
 * the keys, both parts in turn.
 */
function walked(sql: string, primaryKey: string | readonly string[] = 'id') {
  return withSqlite(sql, (db) => {
    const table = sweptTable(db, primaryKey);
    const database = new SqliteSweepDatabase(db);
    const parts = (['key', 'null-key'] as const).filter((part) => part === 'key' || table.rowidName !== null);
    const rows = parts.map((part) => walk(database, table, part));
    const inAll = db.prepare('SELECT count(*) FROM t').pluck().get();
    // `count` takes the same way.
    const counted = parts.map((part) => database.count(table, part, null, 1000)?.records ?? 0);
    expect(counted.reduce((a, b) => a + b)).toBe(inAll);
    const values = rows.flat().map(({ values: [value] }) => value as string);
    expect(values.toSorted((a, b) => Number(a) - Number(b))).toEqual(values.map((_, i) => String(i + 1)));
    expect(values).toHaveLength(inAll as number);
    return { keys: rows.map((part) => part.map(({ key }) => describeRowKey(key))), values };
  });
}

/** INSERTs with the given keys as SQL, in this order; `c` counts them. */
function inserts(keys: readonly string[]): string {
  return keys.map((key, i) => `INSERT INTO t VALUES (${key}, '${i + 1}');`).join('\n');
}

describe('a walk meets every row exactly once', () => {
  it('by integers, negative ones and those beyond 2^53 included', () => {
    const { keys } = walked(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT);
       ${inserts(['9007199254740993', '9007199254740992', '-1', '0', '9223372036854775807', '-9223372036854775808', '7'])}`,
    );
    expect(keys).toEqual([
      [
        '[-9223372036854775808]',
        '[-1]',
        '[0]',
        '[7]',
        '[9007199254740992]',
        '[9007199254740993]',
        '[9223372036854775807]',
      ],
    ]);
  });

  it('by text, in the database’s order and not in JavaScript’s', () => {
    // By UTF-8 bytes U+FFFD comes before U+1F600, by UTF-16 units after it.
    const { keys } = walked(
      `CREATE TABLE t (id TEXT PRIMARY KEY, c TEXT);
       ${inserts(["''", "'😀'", "'\ufffd'", "'a'", "'Z'", "'ä'", "'a '", "'a''b'"])}`,
    );
    expect(keys[0]).toEqual(['[""]', '["Z"]', '["a"]', '["a "]', '["a\'b"]', '["ä"]', '["\ufffd"]', '["😀"]']);
  });

  it('by text under NOCASE', () => {
    const { keys } = walked(
      `CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, c TEXT);
       ${inserts(["'b'", "'A'", "'C'", "'a1'", "'B1'", "'Ä'", "'ä'"])}`,
    );
    expect(keys[0]).toEqual(['["A"]', '["a1"]', '["b"]', '["B1"]', '["C"]', '["Ä"]', '["ä"]']);
  });

  it('by text that looks like numbers', () => {
    const { keys } = walked(
      `CREATE TABLE t (id TEXT PRIMARY KEY, c TEXT); ${inserts(["'10'", "'9'", "'010'", "'1e1'", "'-1'"])}`,
    );
    expect(keys[0]).toEqual(['["-1"]', '["010"]', '["10"]', '["1e1"]', '["9"]']);
  });

  it('by text with bytes that are not UTF-8, and with NUL', () => {
    const keys = ["x'ff'", "x'fe'", "x'c3'", "x'61'", "x'610062'", "x'610061'", "x'efbfbd'"];
    walked(`CREATE TABLE t (id TEXT PRIMARY KEY, c TEXT); ${inserts(keys.map((key) => `CAST(${key} AS TEXT)`))}`);
  });

  it('by blobs and reals', () => {
    expect(
      walked(`CREATE TABLE t (id BLOB PRIMARY KEY, c TEXT); ${inserts(["x''", "x'00'", "x'ff'", "x'00ff'", "x'7f'"])}`)
        .keys[0],
    ).toEqual(['[""]', '["00"]', '["00ff"]', '["7f"]', '["ff"]']);
    expect(
      walked(
        `CREATE TABLE t (id REAL PRIMARY KEY, c TEXT); ${inserts(['1.5', '-1e300', '9e999', '-9e999', '0.1', '5e-324'])}`,
      ).keys[0],
    ).toEqual(['[-Infinity]', '[-1e+300]', '[5e-324]', '[0.1]', '[1.5]', '[Infinity]']);
  });

  it.each(['', 'INT', 'NUMERIC', 'TEXT', 'BLOB'])('by keys of every type in one column of the type %j', (type) => {
    const keys = ['1', '2', '1.5', "'1x'", "'x'", "x'31'", "x''", "''", '9007199254740993', "'ff'", "x'ff'", '-3'];
    walked(`CREATE TABLE t (id ${type} PRIMARY KEY, c TEXT); ${inserts(keys)}`);
  });

  it('by keys of several columns', () => {
    const rows = ['a', 'b', 'A'].flatMap((text) => [1, -1, 2].map((number) => `'${text}', ${number}`));
    const { keys } = walked(
      `CREATE TABLE t (a TEXT COLLATE NOCASE, b INTEGER, c TEXT, PRIMARY KEY (b, a)); ${inserts(rows.slice(0, 6))}`,
      ['b', 'a'],
    );
    expect(keys[0]).toEqual(['[-1,"a"]', '[-1,"b"]', '[1,"a"]', '[1,"b"]', '[2,"a"]', '[2,"b"]']);
    walked(`CREATE TABLE t (a, b, c TEXT, PRIMARY KEY (a, b)); ${inserts(rows)}`, ['a', 'b']);
    walked(`CREATE TABLE t (a, b, c TEXT, PRIMARY KEY (b DESC, a)) WITHOUT ROWID; ${inserts(rows)}`, ['a', 'b']);
  });

  it('without a rowid', () => {
    const sql = `CREATE TABLE t (id TEXT PRIMARY KEY, c TEXT) WITHOUT ROWID; ${inserts(["'b'", "'a'", "'d'", "'c'"])}`;
    expect(walked(sql).keys).toEqual([['["a"]', '["b"]', '["c"]', '["d"]']]);
  });

  it('by a unique key in the place of a primary key', () => {
    const sql = `CREATE TABLE t (number TEXT NOT NULL UNIQUE, c TEXT); ${inserts(["'b'", "'a'", "'d'", "'c'"])}`;
    expect(walked(sql, 'number').keys).toEqual([['["a"]', '["b"]', '["c"]', '["d"]']]);
  });

  it('also when the key of several rows is NULL: those by rowid', () => {
    const { keys } = walked(
      `CREATE TABLE t (id TEXT PRIMARY KEY, c TEXT);
       ${inserts(['NULL', "'a'", 'NULL', 'NULL', "'b'", 'NULL'])}`,
    );
    expect(keys).toEqual([
      ['["a"]', '["b"]'],
      ['[1]', '[3]', '[4]', '[6]'],
    ]);
  });

  it('also when a part of the key is NULL, beside a column called rowid', () => {
    const { keys } = walked(
      `CREATE TABLE t (rowid TEXT, b TEXT, c TEXT, PRIMARY KEY (rowid, b));
       ${inserts(["NULL, 'x'", "'a', NULL", "'a', 'x'", "NULL, 'x'", 'NULL, NULL'])}`,
      ['rowid', 'b'],
    );
    expect(keys).toEqual([['["a","x"]'], ['[1]', '[2]', '[4]', '[5]']]);
  });

  it('when there is none', () => {
    expect(walked('CREATE TABLE t (id TEXT PRIMARY KEY, c TEXT);')).toEqual({ keys: [[], []], values: [] });
  });
});

describe('a value that is read', () => {
  const readAll = (sql: string) =>
    withSqlite(`CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT, d); ${sql}`, (db) =>
      new SqliteSweepDatabase(db).read(sweptTable(db, 'id'), 'key', null, null, 100).map(({ values }) => values[0]),
    );

  it('has its type', () => {
    const sql = "INSERT INTO t (c) VALUES ('a'), (x'61'), (NULL), (''), ('a' || char(0) || 'b')";
    expect(readAll(sql)).toEqual(['a', Buffer.from('a'), null, '', 'a\0b']);
  });

  it('comes as its bytes when it is no valid UTF-8, and as text when it only holds U+FFFD', () => {
    const sql = "INSERT INTO t (c) VALUES (CAST(x'61ff' AS TEXT)), ('a\ufffd'), (CAST(x'eda080' AS TEXT))";
    expect(readAll(sql)).toEqual([
      new InvalidText(Buffer.of(0x61, 0xff)),
      'a\ufffd',
      new InvalidText(Buffer.of(0xed, 0xa0, 0x80)),
    ]);
  });

  it('comes as its bytes also from a row with a NULL in its key, and by a key that is no valid UTF-8', () => {
    const sql = `CREATE TABLE t (id TEXT PRIMARY KEY, c TEXT);
      INSERT INTO t VALUES (NULL, CAST(x'ff' AS TEXT)), (CAST(x'fe' AS TEXT), CAST(x'fd' AS TEXT))`;
    withSqlite(sql, (db) => {
      const database = new SqliteSweepDatabase(db);
      const table = sweptTable(db, 'id');
      expect(database.read(table, 'null-key', null, null, 10).map(({ values }) => values)).toEqual([
        [new InvalidText(Buffer.of(0xff))],
      ]);
      expect(database.read(table, 'key', null, null, 10).map(({ values }) => values)).toEqual([
        [new InvalidText(Buffer.of(0xfd))],
      ]);
    });
  });
});

describe('counting', () => {
  it('counts the fields that are not NULL, a batch at a time', () => {
    const sql = `CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT); INSERT INTO t (c) VALUES ('a'), (NULL), (''), ('b')`;
    withSqlite(sql, (db) => {
      const database = new SqliteSweepDatabase(db);
      const table = sweptTable(db, 'id');
      const first = database.count(table, 'key', null, 3);
      expect(first).toEqual({ records: 2, last: [{ type: 'integer', value: 3n }] });
      const second = database.count(table, 'key', first?.last ?? null, 3);
      expect(second).toEqual({ records: 1, last: [{ type: 'integer', value: 4n }] });
      expect(database.count(table, 'key', second?.last ?? null, 3)).toBeNull();
    });
  });
});
