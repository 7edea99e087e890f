import { codecs, defineModel, encrypted, type Model } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { describeFields } from './fields-contract.js';
import { FIELDS_ON_SQLITE } from './with-fields.js';

describeFields('SQLite', FIELDS_ON_SQLITE);

/** Of `a` bound to its row, `b` to its column and `c` to nothing. */
const modelOf = (primaryKey: string | string[], alsoReads: 'plaintext'[], tenant?: string) =>
  defineModel({
    t: {
      primaryKey,
      ...(tenant && { tenant }),
      columns: {
        a: encrypted(codecs.string(), { scheme: 'xaes', boundTo: 'row', alsoReads }),
        b: encrypted(codecs.string(), { scheme: 'xaes', alsoReads }),
        c: encrypted(codecs.string(), { alsoReads }),
      },
    },
  }) as Model;
const sqlite = (sql: string) => ({ sqlite: sql, postgres: '' });

describe('a row of SQLite', () => {
  it('without its key has no value bound to it, and all the others', () =>
    FIELDS_ON_SQLITE(
      sqlite(`CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT, b TEXT, c TEXT);
        INSERT INTO t VALUES ('k', 'a1', 'b1', 'c1'), (NULL, 'a2', 'b2', 'c2'), (NULL, 'a3', 'b3', 'c3'), (NULL, NULL, 'b4', NULL)`),
      async (place) => {
        const report = await place.run('encrypt', modelOf('id', ['plaintext']));
        expect(report).toMatchObject({ status: 'completed_with_failures', left: 0, counts: { rotated: 8, failed: 2 } });
        expect(await place.failures(report.run)).toEqual(['a: [2]: no_context', 'a: [3]: no_context']);
        const table = (await place.application()).table(modelOf('id', []));
        const read = (await place.query('SELECT * FROM t ORDER BY rowid')).map(({ a, ...row }) => [
          a,
          table.decryptRow(row),
        ]);
        expect(read.slice(1)).toEqual([
          ['a2', { id: null, b: 'b2', c: 'c2' }],
          ['a3', { id: null, b: 'b3', c: 'c3' }],
          [null, { id: null, b: 'b4', c: null }],
        ]);
        expect(await place.run('rotate', modelOf('id', ['plaintext']))).toMatchObject({
          left: 0,
          counts: { rotated: 8, current: 2 },
        });
      },
    ));

  it('with a part of its key has the tenant that stands in it', () =>
    FIELDS_ON_SQLITE(
      sqlite(`CREATE TABLE t (org TEXT, id INTEGER, a TEXT, b TEXT, c TEXT, PRIMARY KEY (org, id));
        INSERT INTO t VALUES ('one', 1, 'a1', 'b1', 'c1'), ('one', NULL, 'a2', 'b2', 'c2'), (NULL, 3, 'a3', 'b3', 'c3')`),
      async (place) => {
        const bound = (alsoReads: 'plaintext'[]) => modelOf(['org', 'id'], alsoReads, 'org');
        const report = await place.run('encrypt', bound(['plaintext']));
        expect(await place.failures(report.run)).toEqual([
          'a: [2]: no_context',
          'a: [3]: no_context',
          'b: [3]: no_context',
        ]);
        const table = (await place.application()).table(bound([]));
        const [whole, part] = await place.query('SELECT * FROM t ORDER BY rowid');
        expect(table.decryptRow({ ...whole })).toMatchObject({ a: 'a1', b: 'b1', c: 'c1' });
        expect(table.decryptRow({ ...part, a: null })).toMatchObject({ org: 'one', b: 'b2', c: 'c2' });
        const later = await place.run('verify', bound(['plaintext']));
        expect(later).toMatchObject({ status: 'completed', counts: { failed: 0 } });
      },
    ));

  it('whose text is not UTF-8 in one column, or which holds other things, has its other columns swept', () =>
    FIELDS_ON_SQLITE(
      sqlite(`CREATE TABLE t (id INTEGER PRIMARY KEY, org TEXT, a TEXT, b TEXT, c BLOB);
        INSERT INTO t VALUES (1, 'o', CAST(x'61ff' AS TEXT), 'b1', 'c1'), (2, 'o', 'a2', CAST(x'ff' AS TEXT), x'00'), (3, CAST(x'ff' AS TEXT), 'a3', 'b3', 3.5)`),
      async (place) => {
        const bound = (alsoReads: 'plaintext'[]) => modelOf('id', alsoReads, 'org');
        const before = await place.query(
          'SELECT id, hex(org) AS org, hex(a) AS a, hex(b) AS b, hex(c) AS c FROM t ORDER BY id',
        );
        const report = await place.run('encrypt', bound(['plaintext']));
        expect(report).toMatchObject({ left: 0, counts: { total: 9, rotated: 3, failed: 6 } });
        expect(await place.failures(report.run)).toEqual([
          ...['a: [1]: not_text', 'a: [3]: no_context', 'b: [2]: not_text', 'b: [3]: no_context'],
          ...['c: [2]: not_text', 'c: [3]: not_text'],
        ]);
        const after = await place.query(
          'SELECT id, hex(org) AS org, hex(a) AS a, hex(b) AS b, hex(c) AS c FROM t ORDER BY id',
        );
        expect([after[0]?.['a'], after[1]?.['b'], after[1]?.['c'], after[2]]).toEqual([
          ...['61FF', 'FF', '00'],
          before[2],
        ]);
        const table = (await place.application()).table(bound([]));
        const [first, second] = await place.query('SELECT * FROM t ORDER BY id');
        expect(table.decryptRow({ ...first, a: null })).toMatchObject({ b: 'b1', c: 'c1' });
        expect(table.decryptRow({ ...second, b: null, c: null })).toMatchObject({ a: 'a2' });
      },
    ));

  it('with names in another case than the declaration’s is bound by the declaration’s', () =>
    FIELDS_ON_SQLITE(
      sqlite(`CREATE TABLE T (ID INTEGER, Org TEXT, A TEXT, B TEXT, C TEXT, PRIMARY KEY (Org, ID)) WITHOUT ROWID;
        INSERT INTO T VALUES (1, 'o', 'a1', 'b1', 'c1')`),
      async (place) => {
        const bound = (alsoReads: 'plaintext'[]) => modelOf(['id', 'org'], alsoReads, 'org');
        expect(await place.run('encrypt', bound(['plaintext']))).toMatchObject({
          status: 'completed',
          counts: { rotated: 3 },
        });
        const [row] = await place.query('SELECT id AS id, org AS org, a AS a, b AS b, c AS c FROM t');
        const table = (await place.application()).table(bound([]));
        expect(table.decryptRow({ ...row })).toMatchObject({ a: 'a1', b: 'b1', c: 'c1' });
      },
    ));
});
