import { describe, expect, it } from 'vitest';
import { openSqlite } from '../../src/store/open-sqlite.js';
import { PostgresSession } from '../../src/sweep/postgres-session.js';
import { postgresSubjectRows, type SubjectRows, sqliteSubjectRows } from '../../src/sweep/subject-rows.js';
import { rejectionOf } from '../refusal.js';
import { withSqliteFile } from '../store/sqlite-file.js';
import { withPostgresDatabase } from '../with-postgres-database.js';

type Rows = (sql: { sqlite: string; postgres: string }, work: (rows: SubjectRows) => Promise<void>) => Promise<void>;

const DATABASES: [string, Rows][] = [
  [
    'SQLite',
    ({ sqlite }, work) =>
      withSqliteFile(async (file) => {
        const db = openSqlite(file).exec(sqlite);
        const rows = sqliteSubjectRows(db, 'The database');
        await work(rows).finally(() => rows.close());
        expect(db.open).toBe(false);
      }),
  ],
  [
    'PostgreSQL',
    ({ postgres }, work) =>
      withPostgresDatabase(postgres, async ({ url }) => {
        const session = await PostgresSession.open({ connectionString: url, name: 'The database', readOnly: false });
        const rows = postgresSubjectRows(session, 'fieldseal');
        await work(rows).finally(() => rows.close());
      }),
  ],
];

const TOKENS = (type: string) => `, v ${type}, i text`;
const INSERTED = (table: string, subjects: readonly string[]) =>
  subjects.map((subject, n) => `INSERT INTO ${table} VALUES (${n}, ${subject}, NULL, 'i${n}')`).join('; ');
const one = (table: string, tenant: string | null = null) => ({ name: table, subject: 'person', tenant });
const named = (subject: string, tenant = '') => ({ subject, tenant });

describe.each(DATABASES)('the rows of a subject on %s', (name, withRows) => {
  it.each([
    ['whole numbers', { sqlite: 'INTEGER', postgres: 'bigint' }, ['42', '-42', '420', 'NULL'], '42', ['i0']],
    ['whole numbers in a column of others', { sqlite: 'REAL', postgres: 'numeric' }, ['42', '42.5'], '42', ['i0']],
    ['texts', { sqlite: 'TEXT', postgres: 'text' }, ["'a''b'", "'A''B'", "'a''b '", "'a%'"], "a'b", ['i0']],
    [
      'texts whose column does not mind their case',
      { sqlite: 'TEXT COLLATE NOCASE', postgres: 'text COLLATE nocase' },
      ["'ada'", "'ADA'"],
      'ada',
      ['i0'],
    ],
    [
      'UUIDs in either case',
      { sqlite: 'TEXT', postgres: 'text' },
      ["'0000abcd-0000-4000-8000-000000000000'", "'0000ABCD-0000-4000-8000-000000000000'", "'0000abcd'"],
      '0000abcd-0000-4000-8000-000000000000',
      ['i0', 'i1'],
    ],
  ])('are found by %s', async (_kind, types, subjects, subject, found) => {
    const table = (type: string) =>
      `CREATE TABLE t (id int, person ${type}${TOKENS('text')}); ${INSERTED('t', subjects)}`;
    const collation = "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false); ";
    await withRows({ sqlite: table(types.sqlite), postgres: collation + table(types.postgres) }, async (rows) => {
      expect((await rows.read(one('t'), ['i'], named(subject))).toSorted()).toEqual(found.map((i) => [i]));
      expect(await rows.clear(one('t'), 'i', named(subject))).toBe(found.length);
      expect(await rows.clear(one('t'), 'i', named(subject))).toBe(0);
      expect((await rows.read(one('t'), ['i'], named(subject))).flat()).toEqual(found.map(() => null));
    });
  });

  it('are those of its tenant alone, where the table has tenants', async () => {
    const sql = `CREATE TABLE t (id int, person text, org int, i text); INSERT INTO t VALUES (1, 'Ada', 1, 'x'), (2, 'Ada', 2, 'y')`;
    await withRows({ sqlite: sql, postgres: sql }, async (rows) => {
      expect(await rows.read(one('t', 'org'), ['i'], named('Ada', '2'))).toEqual([['y']]);
      expect(await rows.clear(one('t', 'org'), 'i', named('Ada', '2'))).toBe(1);
      expect(await rows.read(one('t', 'org'), ['i'], named('Ada', '1'))).toEqual([['x']]);
    });
  });

  it('come with text as text, bytes as bytes, and null for what no token can be', async () => {
    const sql = (blob: string) => `CREATE TABLE t (person text, a text, b ${blob}, c int)`;
    await withRows(
      {
        sqlite: `${sql('blob')}; INSERT INTO t VALUES ('Ada', 'x', x'00ff', 7)`,
        postgres: `${sql('bytea')}; INSERT INTO t VALUES ('Ada', 'x', '\\x00ff', 7)`,
      },
      async (rows) => {
        expect(await rows.read(one('t'), ['a', 'b', 'c'], named('Ada'))).toEqual([['x', Buffer.of(0, 0xff), null]]);
        expect(await rows.read(one('t'), ['a'], named('Nobody'))).toEqual([]);
      },
    );
  });

  it('are looked for under names with quotes and schemas as declared', async () => {
    const sql = `CREATE TABLE "odd ""t""" ("the person" text, "an index" text); INSERT INTO "odd ""t""" VALUES ('Ada', 'x')`;
    await withRows({ sqlite: sql, postgres: sql }, async (rows) => {
      const table = { name: 'odd "t"', subject: 'the person', tenant: null };
      expect(await rows.clear(table, 'an index', named('Ada'))).toBe(1);
    });
  });

  it('of a table that is not there are an error of the database', async () => {
    await withRows({ sqlite: 'CREATE TABLE u (id int)', postgres: '' }, async (rows) => {
      const lacks = 'The database lacks a table (relation "t" does not exist).';
      const refusal = {
        code: 'ERR_TABLE_NOT_FOUND',
        message: name === 'SQLite' ? 'The database has no table t.' : lacks,
      };
      expect(await rejectionOf(() => rows.read(one('t'), ['i'], named('Ada')))).toEqual(refusal);
      expect(await rejectionOf(() => rows.clear(one('t'), 'i', named('Ada')))).toEqual(refusal);
    });
  });
});
