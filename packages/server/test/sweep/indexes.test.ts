import { blindIndex, codecs, defineModel, encrypted, Keyring, type Model, Table } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import type { BatchWork, SweptRow } from '../../src/sweep/sweep-database.js';
import type { Tally } from '../../src/sweep/tally.js';
import { rejectionOf } from '../refusal.js';
import { type AppRow, FIELDS_DATABASES, type FieldsDatabase } from './with-fields.js';
import { withPostgresSweep } from './with-postgres-sweep.js';
import { withSweep } from './with-sweep.js';

const FACTS = { distinct: 1_000_000, commonest: 1e-6 };
const SIZE = { bits: 18 };

interface Declared {
  readonly indexes?: boolean;
  readonly alsoReads?: readonly 'plaintext'[];
}

/** People with an index over one column and an index over two, in tenants. */
function model({ indexes = true, alsoReads = [] }: Declared = {}): Model {
  const bound = { scheme: 'xaes', boundTo: 'row', alsoReads, ...FACTS } as const;
  return defineModel({
    t: {
      primaryKey: 'id',
      tenant: 'org',
      rows: 1_000_000,
      columns: {
        email: encrypted(codecs.string({ length: 100 }), bound),
        born: encrypted(codecs.date(), bound),
        city: encrypted(codecs.string(), { alsoReads, ...FACTS }),
      },
      ...(indexes && {
        indexes: {
          email_index: blindIndex('email', { normalise: ['trim', 'lower-case'], ...SIZE }),
          born_city_index: blindIndex(['born', 'city'], { normalise: { city: ['lower-case'] }, ...SIZE }),
        },
      }),
    },
  }) as Model;
}

const INDEXED = model();
const MIGRATING = model({ alsoReads: ['plaintext'] });
const COLUMNS = 'org text, email text, born text, city text, email_index text, born_city_index text';
const SQL = {
  sqlite: `CREATE TABLE t (id INTEGER PRIMARY KEY, ${COLUMNS}); CREATE INDEX e ON t (email_index)`,
  postgres: `CREATE TABLE t (id int PRIMARY KEY, ${COLUMNS}); CREATE INDEX e ON t (email_index)`,
};

/** Person `id`: every tenth without an e-mail address, every seventh without a city. */
function person(id: number): AppRow {
  const email = id % 10 === 0 ? null : ` User${id}@Example.com`;
  return { id, org: `org${id % 3}`, email, born: '1990-01-01', city: id % 7 === 0 ? null : `City ${id % 50}` };
}
const people = (count: number) => Array.from({ length: count }, (_, i) => person(i + 1));
const withEmail = (count: number) => people(count).filter(({ email }) => email !== null).length;
const withCity = (count: number) => people(count).filter(({ city }) => city !== null).length;

const stored = (place: FieldsDatabase) => place.query('SELECT * FROM t ORDER BY id');

/** The ids that an application finds by an index, filtered as it should. */
async function found(place: FieldsDatabase, table: Table, index: string, values: AppRow): Promise<number[]> {
  const wanted = table.lookup(index as never, values);
  const marks = wanted.map(() => '?').join(', ');
  const rows = await place.query(
    `SELECT * FROM t WHERE ${index} IN (${marks}) AND org = ? ORDER BY id`,
    ...wanted,
    values['org'],
  );
  return rows
    .map((row) => table.decryptRow(row) as AppRow)
    .filter((row) => table.matches(index as never, values, row))
    .map(({ id }) => id);
}

/** Expects that each of these people is found by both indexes. */
async function expectFound(place: FieldsDatabase, table: Table, rows: readonly AppRow[]): Promise<void> {
  for (const { id, org, email, born, city } of rows) {
    if (email !== null)
      expect(await found(place, table, 'email_index', { org, email: email.toUpperCase() })).toEqual([id]);
    if (city !== null) expect(await found(place, table, 'born_city_index', { org, born, city })).toContain(id);
  }
}

/** The states of the keys for indexes. */
async function indexKeys(place: FieldsDatabase): Promise<string[]> {
  const own = place.dialect === 'sqlite' ? '' : 'fieldseal.';
  const sql = `SELECT version, state FROM ${own}encryption_keys WHERE purpose = 'blind-index' ORDER BY version`;
  return (await place.query(sql)).map(({ version, state }) => `${version} ${state}`);
}

/** A sample of the people, over all batches. */
const sample = people(1200).filter(({ id }) => id % 97 === 0 || id < 4);

describe.each(FIELDS_DATABASES)('blind indexes on %s', (_name, withFields) => {
  it('of plaintext are made with its tokens by `encrypt`, and found by lookups', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', people(40));
      const dry = await place.run('encrypt', MIGRATING, { dryRun: true });
      const report = await place.run('encrypt', MIGRATING);
      expect(report).toMatchObject({ status: 'completed', left: 0, counts: dry.counts });
      expect(report.columns.map(({ column, total, held }) => [column, total, held])).toEqual([
        ['email', 36, { v1: 36 }],
        ['born', 40, { v1: 40 }],
        ['city', 35, { v1: 35 }],
        ['email_index', 36, { 'index v1': 36 }],
        ['born_city_index', 35, { 'index v1': 35 }],
      ]);
      for (const row of await stored(place)) {
        expect([row['email_index'] === null, row['born_city_index'] === null]).toEqual([
          row['id'] % 10 === 0,
          row['id'] % 7 === 0,
        ]);
      }
      await expectFound(place, (await place.application()).table(INDEXED), people(40));
    }));

  it('that a table did not have are missed by `verify`, row by row, and made by `index`', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', people(11));
      await place.run('encrypt', model({ indexes: false, alsoReads: ['plaintext'] }));
      const tokens = await place.query('SELECT id, email, born, city FROM t ORDER BY id');
      const missed = await place.run('verify', INDEXED);
      expect(missed).toMatchObject({ status: 'completed_with_failures', counts: { total: 31 + 20, failed: 20 } });
      expect(await place.failures(missed.run)).toEqual(
        [
          ...[1, 2, 3, 4, 5, 6, 8, 9, 10, 11].map((id) => `born_city_index: [${id}]: no_index`),
          ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 11].map((id) => `email_index: [${id}]: no_index`),
        ].toSorted(),
      );
      const dry = await place.run('index', INDEXED, { dryRun: true });
      const made = await place.run('index', INDEXED);
      expect(made).toMatchObject({ status: 'completed', left: 0, counts: dry.counts });
      expect(made.columns.map(({ column, rotated }) => [column, rotated])).toEqual([
        ['email_index', 10],
        ['born_city_index', 10],
      ]);
      expect(await place.query('SELECT id, email, born, city FROM t ORDER BY id')).toEqual(tokens);
      expect(await place.run('verify', INDEXED)).toMatchObject({ status: 'completed', counts: { current: 51 } });
      await expectFound(place, (await place.application()).table(INDEXED), people(11));
    }));

  it('that are wrong, gone or left over beside NULL are told apart by `verify` and mended by `index`', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', people(12));
      await place.run('encrypt', MIGRATING);
      const right = await stored(place);
      const other = right.find(({ id }) => id === 5) as AppRow;
      // Another row's value, no value at all, the same in capitals, and a value beside NULL.
      await place.update('t', { email_index: other['email_index'] }, { id: 1 });
      await place.update('t', { email_index: null }, { id: 2 });
      await place.update('t', { email_index: `${(right[2] as AppRow)['email_index']} ` }, { id: 3 });
      await place.update('t', { email_index: other['email_index'] }, { id: 10 });
      await place.update('t', { born_city_index: 'no hash' }, { id: 7 });
      const verified = await place.run('verify', INDEXED);
      expect(await place.failures(verified.run)).toEqual([
        'born_city_index: [7]: wrong_index',
        'email_index: [10]: wrong_index',
        'email_index: [1]: wrong_index',
        'email_index: [2]: no_index',
        'email_index: [3]: wrong_index',
      ]);
      const mended = await place.run('index', INDEXED);
      expect(mended).toMatchObject({ status: 'completed', left: 0, counts: { rotated: 5, failed: 0 } });
      expect(await stored(place)).toEqual(right);
      expect(await place.run('index', INDEXED)).toMatchObject({ counts: { rotated: 0, current: 22 }, passes: 2 });
    }));

  it('of values that cannot be read stay as they are, with the reason', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', people(4));
      await place.run('encrypt', MIGRATING);
      await place.query(
        'UPDATE t SET email = (SELECT email FROM t WHERE id = 2), email_index = ? WHERE id = 1',
        'stale',
      );
      await place.query('UPDATE t SET org = NULL WHERE id = 3');
      const report = await place.run('index', INDEXED);
      expect(report).toMatchObject({
        status: 'completed_with_failures',
        left: 0,
        counts: { rotated: 0, current: 5, failed: 3 },
      });
      expect(await place.failures(report.run)).toEqual([
        'born_city_index: [3]: no_context',
        'email_index: [1]: no_key',
        'email_index: [3]: no_context',
      ]);
      expect(await place.query('SELECT email_index FROM t WHERE id = 1')).toEqual([{ email_index: 'stale' }]);
      // In a `verify`, which counts the values too, each fault is told once.
      const verified = await place.run('verify', INDEXED);
      expect((await place.failures(verified.run)).filter((text) => text.includes('[1]'))).toEqual([
        'email: [1]: no_key',
      ]);
    }));

  it('tell nothing across tenants', () =>
    withFields(SQL, async (place) => {
      await place.insert(
        't',
        ['a', 'b'].map((org, id) => ({ ...person(1), id, org })),
      );
      await place.run('encrypt', MIGRATING);
      const [first, second] = (await stored(place)) as [AppRow, AppRow];
      expect(first['email_index']).not.toBe(second['email_index']);
      const table = (await place.application()).table(INDEXED);
      expect(await found(place, table, 'email_index', { org: 'b', email: ' user1@example.com ' })).toEqual([1]);
    }));

  it('follow a writer that knows no indexes: the next pass mends what it left behind the cursor', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', people(700));
      const stopped = await rejectionOf(() => place.run('encrypt', MIGRATING, { stopInPass: 1 }));
      expect(stopped).toEqual({
        code: 'ERR_RUN_STOPPED',
        message: 'Run 1 is paused; `fieldseal resume 1` goes on from there.',
      });
      const app = await place.application();
      const old = app.table(model({ indexes: false }));
      const { email } = old.encryptRow({ ...person(1), email: 'changed@example.com' });
      await place.update('t', { email }, { id: 1 });
      await place.update('t', { email: null }, { id: 2 });
      const report = await place.run('encrypt', MIGRATING);
      expect(report).toMatchObject({ status: 'completed', left: 0, passes: 4, failures: [] });
      expect(await place.run('verify', INDEXED)).toMatchObject({ status: 'completed', failures: [] });
      const table = app.table(INDEXED);
      expect(await found(place, table, 'email_index', { org: 'org1', email: 'changed@example.com' })).toEqual([1]);
      expect(await place.query('SELECT email_index FROM t WHERE id = 2')).toEqual([{ email_index: null }]);
    }));
});

describe.each(FIELDS_DATABASES)('moving indexes to a new key on %s', (_name, withFields) => {
  it('lets lookups find every row all the while, goes on with the same key, and leaves retiring the old one to a later run', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', people(1200));
      await place.run('encrypt', MIGRATING);
      const app = await place.application();
      const table = app.table(INDEXED);
      const one = { org: 'org1', email: person(1)['email'] };
      expect(table.lookup('email_index' as never, one)).toHaveLength(1);

      // Stopped in the middle of the sweep, and again in the pass that verifies it.
      for (const stopInPass of [1, 2]) {
        const stopped = await rejectionOf(() => place.run('index', INDEXED, { rotate: true, stopInPass }));
        expect(stopped.code).toBe('ERR_RUN_STOPPED');
        expect(await indexKeys(place)).toEqual(['v1 active', 'v2 primary']);
        expect(table.lookup('email_index' as never, one)).toHaveLength(2);
        await expectFound(place, table, sample);
        // Both values are right for now.
        const { columns, status } = await place.run('verify', INDEXED);
        expect(status).toBe('completed');
        const { 'index v1': older = 0, 'index v2': newer = 0 } =
          columns.find(({ column }) => column === 'email_index')?.held ?? {};
        // A few bits may be the same under both keys: such a value counts as the newer one's.
        const coincident = stopInPass === 1 ? newer - 450 : newer - 1080;
        expect([older + newer, coincident >= 0 && coincident < 10]).toEqual([1080 + (stopInPass - 1), true]);
        // Rows that come meanwhile have the new key's values.
        const row = table.encryptRow({ ...person(1), id: 10_000 + stopInPass, email: `late${stopInPass}` });
        await place.insert('t', [row]);
        expect(await found(place, table, 'email_index', { org: 'org1', email: `late${stopInPass}` })).toEqual([
          row['id'],
        ]);
      }

      const report = await place.run('index', INDEXED, { rotate: true });
      expect(report).toMatchObject({
        status: 'completed',
        kind: 'index',
        ...{ oldKeyVersion: 'v1', newKeyVersion: 'v2', left: 0 },
        counts: { rotated: withEmail(1200) + withCity(1200), failed: 0, skipped: 0 },
      });
      for (const { held } of report.columns) expect(Object.keys(held)).toEqual(['index v2']);
      // A writer that was late may still have made a value under the old key: it is found, and mended by the next run.
      expect(await indexKeys(place)).toEqual(['v1 active', 'v2 primary']);
      expect(table.lookup('email_index' as never, one)).toHaveLength(2);
      expect(await place.run('index', INDEXED)).toMatchObject({ status: 'completed', counts: { rotated: 0 } });
      expect(await indexKeys(place)).toEqual(['v1 disabled', 'v2 primary']);
      await expect.poll(() => table.lookup('email_index' as never, one), { timeout: 10_000 }).toHaveLength(1);
      await expectFound(place, table, sample);
      expect(await place.run('verify', INDEXED)).toMatchObject({ status: 'completed' });

      // The next one has its next key.
      expect(await place.run('index', INDEXED, { rotate: true })).toMatchObject({
        newKeyVersion: 'v3',
        oldKeyVersion: 'v2',
      });
      expect(await indexKeys(place)).toEqual(['v1 disabled', 'v2 active', 'v3 primary']);
    }));

  it('keeps the old key while some rows could not be moved', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', people(3));
      await place.run('encrypt', MIGRATING);
      // A dry run says what the real one then does, and makes no key.
      const dry = await place.run('index', INDEXED, { rotate: true, dryRun: true });
      expect(dry).toMatchObject({
        status: 'completed',
        oldKeyVersion: 'v1',
        newKeyVersion: 'v2',
        counts: { rotated: 6 },
      });
      expect(dry.columns.map(({ held }) => held)).toEqual([{ 'index v2': 3 }, { 'index v2': 3 }]);
      expect(await indexKeys(place)).toEqual(['v1 primary']);
      await place.update('t', { email: 'no token' }, { id: 2 });
      await place.query("UPDATE t SET org = 'elsewhere' WHERE id = 1");
      const report = await place.run('index', INDEXED, { rotate: true });
      expect(report).toMatchObject({ status: 'completed_with_failures', newKeyVersion: 'v2', left: 0 });
      expect(await indexKeys(place)).toEqual(['v1 active', 'v2 primary']);
      await place.query("UPDATE t SET org = 'org1' WHERE id = 1");
      await place.update('t', { email: null, email_index: null }, { id: 2 });
      expect(await place.run('index', INDEXED, { rotate: true })).toMatchObject({
        status: 'completed',
        newKeyVersion: 'v3',
      });
      expect(await indexKeys(place)).toEqual(['v1 active', 'v2 active', 'v3 primary']);
    }));

  it('waits for an unfinished `index` under the present key, and is gone on with by a plain one', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', people(600));
      await place.run('encrypt', model({ indexes: false, alsoReads: ['plaintext'] }));
      await rejectionOf(() => place.run('index', INDEXED, { stopInPass: 1 }));
      expect(await rejectionOf(() => place.run('index', INDEXED, { rotate: true }))).toEqual({
        code: 'ERR_RUN_UNFINISHED',
        message: 'Run 2 builds the indexes under their present key; finish it with `fieldseal resume 2` first.',
      });
      expect(await indexKeys(place)).toEqual(['v1 primary']);
      expect(await place.run('index', INDEXED)).toMatchObject({ run: 2, status: 'completed', newKeyVersion: null });
      await rejectionOf(() => place.run('index', INDEXED, { rotate: true, stopInPass: 1 }));
      expect(await place.run('index', INDEXED)).toMatchObject({ run: 3, status: 'completed', newKeyVersion: 'v2' });
      expect(await indexKeys(place)).toEqual(['v1 active', 'v2 primary']);
    }));

  it('that was given up before it wrote anything leaves its key to the next one', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', people(3));
      await place.run('encrypt', MIGRATING);
      const own = place.dialect === 'sqlite' ? '' : 'fieldseal.';
      // A reader that does not know the new key yet keeps it from being used.
      const seen = place.dialect === 'sqlite' ? "strftime('%s', 'now')" : 'extract(epoch FROM clock_timestamp())';
      await place.query(
        `INSERT INTO ${own}keyring_readers (process, generation, seen_at) VALUES ('old', 1, CAST(${seen} + 60 AS bigint))`,
      );
      const stop = new AbortController();
      const onNotice = ({ type }: { type: string }) => {
        if (type === 'waiting') stop.abort();
      };
      const stopped = await rejectionOf(() =>
        place.run('index', INDEXED, { rotate: true, onNotice, stop: stop.signal }),
      );
      expect(stopped.code).toBe('ERR_RUN_STOPPED');
      expect(await indexKeys(place)).toEqual(['v1 primary', 'v2 pending']);
      await place.query(`UPDATE ${own}encryption_key_rotations SET rotation_status = 'cancelled' WHERE id = 2`);
      await place.query(`DELETE FROM ${own}keyring_readers`);
      const report = await place.run('index', INDEXED, { rotate: true });
      expect(report).toMatchObject({ run: 3, status: 'completed', newKeyVersion: 'v2', counts: { rotated: 6 } });
      expect(await indexKeys(place)).toEqual(['v1 active', 'v2 primary']);
    }));

  it('has nothing to do without a declared index, and leaves no trace', () =>
    withFields(SQL, async (place) => {
      expect(await rejectionOf(() => place.run('index', model({ indexes: false }), { rotate: true }))).toEqual({
        code: 'ERR_INDEX_NOT_FOUND',
        message: 'The configuration declares no blind index; there is nothing to do.',
      });
      await expect(indexKeys(place)).rejects.toThrow('encryption_keys');
    }));
});

/** A sweep between reading a batch and writing it, and an application that knows the same keys. */
interface Driver {
  read(): SweptRow[] | Promise<SweptRow[]>;
  commit(rows: readonly SweptRow[], work: BatchWork): Tally | Promise<Tally>;
  work(kind: 'encrypt' | 'index'): BatchWork;
  readonly application: Table;
  set(id: number, values: AppRow): Promise<void>;
  rows(): Promise<AppRow[]>;
}

const PLAIN =
  "INSERT INTO t (id, org, email, born, city) VALUES (1, 'a', 'one', '2000-01-01', 'Ulm'), (2, 'a', 'two', '2000-01-02', 'Bonn')";
const DRIVERS: [string, (use: (driver: Driver) => Promise<void>) => Promise<void>][] = [
  [
    'SQLite',
    (use) =>
      withSweep({ sql: `${SQL.sqlite}; ${PLAIN}`, model: MIGRATING }, (sweep) =>
        use({
          ...sweep,
          application: new Table(INDEXED, 't', new Keyring(sweep.ring)) as Table,
          async set(id, values) {
            const columns = Object.keys(values).map((column) => `${column} = ?`);
            sweep.app.prepare(`UPDATE t SET ${columns.join(', ')} WHERE id = ?`).run(...Object.values(values), id);
          },
          rows: async () => sweep.app.prepare('SELECT * FROM t ORDER BY id').all() as AppRow[],
        }),
      ),
  ],
  [
    'PostgreSQL',
    (use) =>
      withPostgresSweep({ sql: `${SQL.postgres}; ${PLAIN}`, model: MIGRATING }, (sweep) =>
        use({
          ...sweep,
          application: new Table(INDEXED, 't', new Keyring(sweep.ring)) as Table,
          async set(id, values) {
            const columns = Object.keys(values).map((column, i) => `${column} = $${i + 2}`);
            await sweep.client.query(`UPDATE t SET ${columns.join(', ')} WHERE id = $1`, [
              id,
              ...Object.values(values),
            ]);
          },
          rows: async () => (await sweep.client.query('SELECT * FROM t ORDER BY id')).rows,
        }),
      ),
  ],
];

const wholeRow = (email: string) => ({ id: 1, org: 'a', email, born: '2000-01-01', city: 'Ulm' });

describe.each(DRIVERS)('a write between the reading of a row and its index on %s', (_name, withDriver) => {
  /** Encrypts all, lets the application write, and commits what was read before that; returns the rows and the tally. */
  async function raced(driver: Driver, kind: 'encrypt' | 'index', write: () => Promise<void>) {
    const read = await driver.read();
    await write();
    const tally = await driver.commit(read, driver.work(kind));
    return { tally, rows: await driver.rows() };
  }

  /** The index values that the rows should have. */
  const right = ({ application }: Driver, rows: readonly AppRow[]) =>
    rows.map((row) => {
      const { email_index, born_city_index } = application.encryptRow(application.decryptRow(row)) as AppRow;
      return { email_index, born_city_index };
    });
  const kept = (rows: readonly AppRow[]) =>
    rows.map(({ email_index, born_city_index }) => ({ email_index, born_city_index }));

  it.each([
    [
      'of value and index',
      ({ application }: Driver) => {
        const { email, email_index } = application.encryptRow(wholeRow('newer')) as AppRow;
        return { email, email_index };
      },
    ],
    [
      'of the value alone, by an application that knows no indexes',
      ({ application }: Driver) => ({ email: (application.encryptRow(wholeRow('newer')) as AppRow)['email'] }),
    ],
    ['of plaintext', () => ({ email: 'newer' })],
    ['of NULL', () => ({ email: null })],
    ['of another column of a compound index', () => ({ city: 'Kiel' })],
    ['of the index', () => ({ email_index: 'abcdef', born_city_index: 'fedcba' })],
    ['of the tenant of plaintext', () => ({ org: 'b' })],
  ])('%s is not lost, and the index is that of the newer row', async (_what, written) => {
    await withDriver(async (driver) => {
      const values = written(driver);
      const { tally, rows } = await raced(driver, 'encrypt', () => driver.set(1, values));
      for (const { skipped, failed } of Object.values(tally)) expect([skipped, failed]).toEqual([0, 0]);
      expect(kept(rows)).toEqual(right(driver, rows));
      const [first] = rows as [AppRow];
      const plain = driver.application.decryptRow(first) as AppRow;
      if ('email' in values) expect(plain['email']).toBe(values.email === null ? null : 'newer');
      if ('city' in values) expect(plain['city']).toBe('Kiel');
      if ('org' in values) expect(plain['org']).toBe('b');
      expect(driver.application.decryptRow(rows[1] as AppRow)).toMatchObject({ email: 'two', city: 'Bonn' });
    });
  });

  it('while `index` makes it leaves no stale index beside a newer value either', () =>
    withDriver(async (driver) => {
      await driver.commit(await driver.read(), driver.work('encrypt'));
      await driver.set(1, { email_index: null, born_city_index: null });
      await driver.set(2, { email_index: 'wrong' });
      const { email } = driver.application.encryptRow(wholeRow('newer')) as AppRow;
      const { rows } = await raced(driver, 'index', async () => {
        await driver.set(1, { email });
        await driver.set(2, { email: null });
      });
      expect(kept(rows)).toEqual(right(driver, rows));
      expect(driver.application.decryptRow(rows[0] as AppRow)).toMatchObject({ email: 'newer' });
      expect(rows[1]).toMatchObject({ email: null, email_index: null });
    }));
});
