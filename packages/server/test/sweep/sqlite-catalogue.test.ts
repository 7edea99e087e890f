import { describe, expect, it } from 'vitest';
import {
  constrainedNames,
  keepsText,
  readForeignKeyColumns,
  readIndexes,
  readTables,
  readUpdateTriggers,
} from '../../src/sweep/sqlite-catalogue.js';
import { withSqlite } from './with-sqlite.js';

describe('the tables of a file', () => {
  it('are the ordinary ones by name: no views, no virtual tables, none of SQLite’s own', () => {
    withSqlite(
      `CREATE TABLE zebra (id INTEGER PRIMARY KEY AUTOINCREMENT);
       CREATE TABLE "a b" (x, y TEXT NOT NULL, PRIMARY KEY (y, x)) WITHOUT ROWID;
       CREATE TABLE strict (id INTEGER PRIMARY KEY, g TEXT AS (id || '') STORED) STRICT;
       CREATE TABLE sqlitish (x);
       CREATE VIEW seen AS SELECT * FROM zebra;
       CREATE VIRTUAL TABLE found USING fts5(body);`,
      (db) => {
        const tables = readTables(db).filter(({ name }) => !name.startsWith('found'));
        expect(tables.map(({ name, withoutRowid, strict }) => ({ name, withoutRowid, strict }))).toEqual([
          { name: 'a b', withoutRowid: true, strict: false },
          { name: 'sqlitish', withoutRowid: false, strict: false },
          { name: 'strict', withoutRowid: false, strict: true },
          { name: 'zebra', withoutRowid: false, strict: false },
        ]);
        expect(tables[0]?.columns).toEqual([
          { name: 'x', declaredType: '', notNull: true, keyPlace: 2, generated: false },
          { name: 'y', declaredType: 'TEXT', notNull: true, keyPlace: 1, generated: false },
        ]);
        expect(tables[2]?.columns.map(({ generated }) => generated)).toEqual([false, true]);
      },
    );
  });
});

describe('the indexes of a table', () => {
  it('say which columns they hold, and what their expressions and conditions mention', () => {
    withSqlite(
      `CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT UNIQUE, b TEXT, c TEXT);
       CREATE INDEX plain ON t (b DESC, c COLLATE NOCASE);
       CREATE UNIQUE INDEX partly ON t (b) WHERE "c" = 'a';
       CREATE INDEX expressed ON t (lower(b), c);`,
      (db) => {
        const indexes = Object.fromEntries(readIndexes(db, 't').map(({ name, ...index }) => [name, index]));
        expect(indexes['plain']).toEqual({
          unique: false,
          primaryKey: false,
          partial: false,
          columns: ['b', 'c'],
          mentioned: [],
        });
        expect(indexes['partly']).toMatchObject({ unique: true, partial: true, columns: ['b'] });
        expect(indexes['partly']?.mentioned).toEqual(['b', 'WHERE', 'c']);
        expect(indexes['expressed']).toMatchObject({ unique: false, columns: ['c'], mentioned: ['lower', 'b', 'c'] });
        expect(Object.values(indexes).filter(({ primaryKey }) => primaryKey)).toMatchObject([{ columns: ['id'] }]);
        expect(Object.values(indexes).filter(({ columns }) => columns.includes('a'))).toMatchObject([{ unique: true }]);
      },
    );
  });
});

describe('the columns in a foreign key', () => {
  it('are those of the table itself and those that another table’s key points at', () => {
    withSqlite(
      `CREATE TABLE parent (id INTEGER PRIMARY KEY, "Code" TEXT UNIQUE);
       CREATE TABLE child (id INTEGER PRIMARY KEY, parent_code TEXT REFERENCES PARENT (code));`,
      (db) => {
        expect(readForeignKeyColumns(db, 'child')).toEqual(['parent_code']);
        expect(readForeignKeyColumns(db, 'parent')).toEqual(['code']);
      },
    );
  });
});

describe('the update triggers of a table', () => {
  const BODY = 'BEGIN SELECT 1; END';
  const fired = (triggers: string, columns = ['phone']) =>
    withSqlite(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT, "on" TEXT); CREATE TABLE u (phone); ${triggers}`,
      (db) => readUpdateTriggers(db, 'T', columns),
    );

  it.each([
    ['on any update', `CREATE TRIGGER a AFTER UPDATE ON t ${BODY};`],
    ['without a moment', `CREATE TRIGGER a UPDATE ON t ${BODY};`],
    ['of the column', `CREATE TRIGGER a BEFORE UPDATE OF id, Phone ON t ${BODY};`],
    ['of the column, quoted', `CREATE TRIGGER a BEFORE UPDATE OF "phone" ON t ${BODY};`],
    ['of the column, quoted like a string', `CREATE TRIGGER a BEFORE UPDATE OF 'phone' ON t ${BODY};`],
    ['of the column after one called on', `CREATE TRIGGER a BEFORE UPDATE OF "on", phone ON t ${BODY};`],
    ['with conditions', `CREATE TRIGGER IF NOT EXISTS a AFTER UPDATE ON t FOR EACH ROW WHEN new.id > 1 ${BODY};`],
  ])('include one %s', (_name, sql) => {
    expect(fired(sql)).toEqual(['a']);
  });

  it('include one that is itself called on or insert', () => {
    expect(fired(`CREATE TRIGGER "on" AFTER UPDATE ON t ${BODY};`)).toEqual(['on']);
    expect(fired(`CREATE TRIGGER "insert" AFTER UPDATE ON t ${BODY};`)).toEqual(['insert']);
  });

  it.each([
    [
      'on an insert or a delete',
      `CREATE TRIGGER a AFTER INSERT ON t ${BODY}; CREATE TRIGGER b BEFORE DELETE ON t ${BODY};`,
    ],
    ['on an insert that updates', `CREATE TRIGGER a AFTER INSERT ON t BEGIN UPDATE u SET phone = 1; END;`],
    ['of another column', `CREATE TRIGGER a AFTER UPDATE OF id ON t BEGIN UPDATE u SET phone = 1; END;`],
    ['of another table', `CREATE TRIGGER a AFTER UPDATE ON u ${BODY};`],
    ['called update, on an insert', `CREATE TRIGGER "update" AFTER INSERT ON t ${BODY};`],
  ])('do not include one %s', (_name, sql) => {
    expect(fired(sql)).toEqual([]);
  });
});

describe('the names that constraints mention', () => {
  it('are those of CHECK and of generated columns, and not those of a default or a comment', () => {
    withSqlite(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT CHECK (a <> 'b'), b TEXT DEFAULT (lower('x')), -- CHECK (b)
         c TEXT GENERATED ALWAYS AS (upper(d)) VIRTUAL, d TEXT, e TEXT AS (f) STORED, f TEXT, "g h" TEXT,
         CHECK (length("g h") > 1))`,
      (db) => {
        const [table] = readTables(db);
        expect(table && constrainedNames(table)).toEqual({
          checked: ['a', 'length', 'g h'],
          generating: ['upper', 'd', 'f'],
        });
      },
    );
  });
});

describe('a type keeps text as it is', () => {
  const keeps = (declaredType: string, strict = false) =>
    keepsText({ name: 'a', declaredType, notNull: false, keyPlace: 0, generated: false }, strict);

  it('when SQLite gives it text affinity or none', () => {
    for (const type of ['TEXT', 'varchar(20)', 'NVARCHAR(24)', 'CLOB', 'character', 'BLOB', '']) {
      expect([type, keeps(type)]).toEqual([type, true]);
    }
  });

  it('not when SQLite turns digits into numbers in it', () => {
    for (const type of ['INTEGER', 'NUMERIC', 'REAL', 'STRING', 'DATE', 'POINT', 'CHARINT', 'JSON']) {
      expect([type, keeps(type)]).toEqual([type, false]);
    }
  });

  it('in a STRICT table only as TEXT or ANY', () => {
    expect(['TEXT', 'any', 'BLOB', 'INT'].map((type) => keeps(type, true))).toEqual([true, true, false, false]);
  });
});
