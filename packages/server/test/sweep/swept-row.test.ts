import { blindIndex, codecs, defineModel, encrypted, type Model, tableFields, tableIndexes } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import type { RowKey } from '../../src/sweep/row-key.js';
import { contextOf, recordsOf } from '../../src/sweep/swept-row.js';
import { countedColumns, type SweptTable, sweptColumns } from '../../src/sweep/swept-table.js';
import { withSqlite } from './with-sqlite.js';

const FACTS = { distinct: 1_000_000, commonest: 1e-6 };
const DECLARED = (
  defineModel({
    t: {
      primaryKey: 'id',
      rows: 1_000_000,
      columns: { a: encrypted(codecs.string(), FACTS), b: encrypted(codecs.string(), FACTS) },
      indexes: { b_index: blindIndex('b', { bits: 9 + 8 }) },
    },
  }) as Model
).tables['t'] as Model['tables'][string];
const fields = tableFields('t', DECLARED);
const [index] = tableIndexes('t', DECLARED, fields);
const pair = { ...index, column: 'pair_index', fields } as unknown as NonNullable<typeof index>;
const TABLE: SweptTable = {
  name: 't',
  keyColumns: ['Id', 'KEY'],
  keyNames: ['id', 'key'],
  rowidName: null,
  fields,
  indexes: [index as NonNullable<typeof index>, pair],
  context: ['org', 'person'],
};

describe('a row', () => {
  it('is read as fields, indexes and context, and counted as fields and indexes', () => {
    expect(sweptColumns(TABLE)).toEqual(['a', 'b', 'b_index', 'pair_index', 'org', 'person']);
    expect(countedColumns(TABLE)).toEqual(['a', 'b', 'b_index', 'pair_index']);
    expect(countedColumns({ ...TABLE, indexesOnly: true })).toEqual(['b_index', 'pair_index']);
    const { indexes: _, context: __, ...plain } = TABLE;
    expect([sweptColumns(plain), countedColumns(plain)]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  const values = ['1', '2', '3', '4', 'one', null];

  it('has its key by the names of the declaration, text as text and bytes as bytes', () => {
    const key: RowKey = [
      { type: 'text', value: Buffer.from('ä') },
      { type: 'blob', value: Buffer.of(0xff) },
    ];
    expect(contextOf(TABLE, 'key', key, values)).toEqual({ id: 'ä', key: Buffer.of(0xff), org: 'one', person: null });
    const numbers: RowKey = [
      { type: 'integer', value: 2n ** 60n },
      { type: 'real', value: 1.5 },
    ];
    expect(contextOf(TABLE, 'key', numbers, values)).toMatchObject({ id: 2n ** 60n, key: 1.5 });
  });

  it('that is walked by its rowid has no key, and its context all the same', () => {
    const key: RowKey = [{ type: 'integer', value: 7n }];
    expect(contextOf({ ...TABLE, rowidName: 'rowid' }, 'null-key', key, values)).toEqual({ org: 'one', person: null });
  });

  it('has the records that there are: fields that are not NULL, and indexes of those that have all their fields', () => {
    const counts = (table: SweptTable) =>
      withSqlite(
        "CREATE TABLE t (a TEXT, b TEXT); INSERT INTO t VALUES ('', 'x'), (NULL, 'x'), ('x', NULL), (NULL, NULL)",
        (db) =>
          db
            .prepare(`SELECT ${recordsOf(table, (column) => `"${column}"`)} FROM t ORDER BY rowid`)
            .pluck()
            .all(),
      );
    expect(counts(TABLE)).toEqual([4, 2, 1, 0]);
    expect(counts({ ...TABLE, indexesOnly: true })).toEqual([2, 1, 0, 0]);
    expect(counts({ ...TABLE, indexes: [] })).toEqual([2, 1, 1, 0]);
  });
});
