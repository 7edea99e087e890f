import { blindIndex, codecs, defineModel, encrypted, FieldsealError, type Model, Secret, SubjectKey } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { type WalkedRange, walkRange } from '../../src/sweep/range-walk.js';
import type { BatchWork, SweepDatabase, SweptRow } from '../../src/sweep/sweep-database.js';
import { type AbsentSubjects, sweptSubjects } from '../../src/sweep/swept-subjects.js';
import { countedColumns, type SweptTable } from '../../src/sweep/swept-table.js';
import { emptyTally, type Tally } from '../../src/sweep/tally.js';
import { TRANSFORMS } from '../../src/sweep/transform.js';
import { refusalOf } from '../refusal.js';
import { type AppRow, FIELDS_DATABASES, type FieldsDatabase } from './with-fields.js';
import { withPostgresSweep } from './with-postgres-sweep.js';
import { withSweep } from './with-sweep.js';

const FACTS = { distinct: 1_000_000, commonest: 1e-6 };

function model({ alsoReads = [] as 'plaintext'[], indexes = true } = {}): Model {
  return defineModel({
    t: {
      primaryKey: 'id',
      subject: 'person',
      rows: 1_000_000,
      columns: {
        a: encrypted(codecs.string(), { scheme: 'xaes-subject', alsoReads, ...FACTS }),
        b: encrypted(codecs.string(), { scheme: 'xaes', alsoReads }),
      },
      ...(indexes && { indexes: { a_index: blindIndex('a', { bits: 18 }) } }),
    },
  }) as Model;
}

const MIGRATING = model({ alsoReads: ['plaintext'] });
const SEALED = model();
const SQL = {
  sqlite: 'CREATE TABLE t (id INTEGER PRIMARY KEY, person TEXT, a TEXT, b TEXT, a_index TEXT)',
  postgres: 'CREATE TABLE t (id int PRIMARY KEY, person text, a text, b text, a_index text)',
};
const row = (id: number, person: string | null) => ({ id, person, a: `a${id}`, b: `b${id}` });
const FOUR = [row(1, 'Ada'), row(2, 'Brook'), row(3, 'Ada'), row(4, 'Chidi')];

const stored = (place: FieldsDatabase) => place.query('SELECT * FROM t ORDER BY id');

/** Who has a key. */
async function subjectsOf(place: FieldsDatabase): Promise<string[]> {
  const own = place.dialect === 'sqlite' ? '' : 'fieldseal.';
  const rows = await place.query(`SELECT subject, wrapped FROM ${own}subject_keys ORDER BY subject`);
  return rows.map(({ subject, wrapped }) => (wrapped === null ? `${subject} erased` : subject));
}

describe.each(FIELDS_DATABASES)('the keys of subjects in sweeps on %s', (_name, withFields) => {
  it('are made by `encrypt` where there are none, and by no dry run', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', FOUR);
      const dry = await place.run('encrypt', MIGRATING, { dryRun: true });
      expect(dry).toMatchObject({ status: 'completed', counts: { rotated: 12, failed: 0 } });
      const app = await place.run('encrypt', MIGRATING).then((report) => {
        expect(report).toMatchObject({ status: 'completed', counts: dry.counts });
        return place.application();
      });
      expect(await subjectsOf(place)).toEqual(['Ada', 'Brook', 'Chidi']);
      await place.insert('t', [row(5, 'Ada'), row(6, 'Dana')]);
      expect(await place.run('encrypt', MIGRATING, { dryRun: true })).toMatchObject({
        counts: { rotated: 6, failed: 0 },
      });
      expect(await subjectsOf(place)).toEqual(['Ada', 'Brook', 'Chidi']);
      await app.subjects.load(['Ada', 'Brook', 'Chidi']);
      const table = app.table(SEALED);
      for (const one of (await stored(place)).slice(0, 4))
        expect(table.decryptRow(one)).toMatchObject({ a: `a${one['id']}` });
      await place.run('encrypt', MIGRATING);
      expect(await place.run('rotate', SEALED)).toMatchObject({ status: 'completed', counts: { rotated: 12 } });
      expect(await subjectsOf(place)).toEqual(['Ada', 'Brook', 'Chidi', 'Dana']);
    }));

  it('are not asked for by rows without a subject, whose other columns are swept', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', [...FOUR, row(5, null), row(6, '')]);
      const report = await place.run('encrypt', MIGRATING);
      expect(report).toMatchObject({ status: 'completed_with_failures', left: 0, counts: { rotated: 14, failed: 2 } });
      expect(await place.failures(report.run)).toEqual(['a: [5]: no_context', 'a: [6]: no_context']);
      // A row that has nothing to protect needs no key either.
      await place.insert('t', [{ id: 7, person: 'Nobody', b: 'b7' }]);
      await place.run('encrypt', MIGRATING);
      expect(await subjectsOf(place)).toEqual(['Ada', 'Brook', 'Chidi']);
      const rest = await place.query('SELECT a, a_index FROM t WHERE id IN (5, 6)');
      expect(rest).toEqual([
        { a: 'a5', a_index: null },
        { a: 'a6', a_index: null },
      ]);
    }));

  it('that are destroyed leave values that count as erased, and nothing to mend', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', FOUR);
      await place.run('encrypt', MIGRATING);
      await place.erase('Ada', SEALED);
      expect(await subjectsOf(place)).toEqual(['Ada erased', 'Brook', 'Chidi']);
      const rotated = await place.run('rotate', SEALED);
      expect(rotated).toMatchObject({
        status: 'completed',
        left: 0,
        failures: [],
        counts: { total: 8, rotated: 6, current: 2 },
      });
      expect(rotated.columns.map(({ held }) => held)).toEqual([{ erased: 2, v2: 2 }, { v2: 4 }]);
      const index = await place.run('index', SEALED);
      expect(index).toMatchObject({ status: 'completed', left: 0, counts: { rotated: 0, current: 2 } });
      const verified = await place.run('verify', SEALED);
      expect(verified).toMatchObject({ status: 'completed', failures: [] });
      expect(verified.columns.map(({ held }) => held)).toEqual([{ erased: 2, v2: 2 }, { v2: 4 }, { 'index v1': 2 }]);
      expect((await stored(place)).map((one) => one['a_index'] === null)).toEqual([true, false, true, false]);
      // What cannot be read is not decrypted either, and is left as it is.
      const decrypted = await place.run('decrypt', SEALED);
      expect(decrypted.columns[0]).toMatchObject({ rotated: 2, current: 2, held: { plaintext: 2, erased: 2 } });
      expect(decrypted).toMatchObject({ status: 'completed', left: 0 });
    }));

  it('that are destroyed leave no index: one that is left over is reported, and emptied by `index`', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', FOUR);
      await place.run('encrypt', MIGRATING);
      const before = await stored(place);
      // An erasure that knows of no index, and plaintext that came back.
      await place.erase('Ada', model({ indexes: false }));
      await place.update('t', { a: 'a3' }, { id: 3 });
      const verified = await place.run('verify', SEALED);
      expect(await place.failures(verified.run)).toEqual(['a: [3]: plaintext', 'a_index: [1]: wrong_index']);
      const encrypted = await place.run('encrypt', MIGRATING);
      expect(encrypted).toMatchObject({ status: 'completed_with_failures', left: 0 });
      expect(await place.failures(encrypted.run)).toEqual(['a: [3]: erased']);
      const after = await stored(place);
      expect(after.map((one) => one['a_index'])).toEqual([null, ...before.slice(1).map((one) => one['a_index'])]);
      expect(after[2]?.['a']).toBe('a3');
    }));

  it('that are gone without an erasure are a reason of their own', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', FOUR);
      await place.run('encrypt', MIGRATING);
      await place.query(
        `DELETE FROM ${place.dialect === 'sqlite' ? '' : 'fieldseal.'}subject_keys WHERE subject = ?`,
        'Ada',
      );
      const before = await stored(place);
      const rotated = await place.run('rotate', SEALED);
      expect(rotated).toMatchObject({ status: 'completed_with_failures', counts: { rotated: 6, failed: 2 } });
      expect(await place.failures(rotated.run)).toEqual(['a: [1]: no_context', 'a: [3]: no_context']);
      expect(await subjectsOf(place)).toEqual(['Brook', 'Chidi']);
      const after = await stored(place);
      expect([after[0]?.['a'], after[2]?.['a']]).toEqual([before[0]?.['a'], before[2]?.['a']]);
    }));

  it('are handed out as the kind of run wants it', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', FOUR);
      await place.run('encrypt', MIGRATING);
      await place.erase('Brook', SEALED);
      const { subjects } = await place.application();
      const names = ['Ada', 'Brook', 'New'].map((subject) => ({ tenant: '', subject }));
      const told = (source: ReturnType<typeof sweptSubjects>) =>
        names.map(({ tenant, subject }) => {
          try {
            return source.get(tenant, subject).subject;
          } catch (error) {
            return (error as { code: string }).code;
          }
        });
      const prepared = async (absent: AbsentSubjects) => {
        const source = sweptSubjects(subjects, absent);
        await source.prepare(names);
        return source;
      };
      const ERASED = 'ERR_SUBJECT_ERASED';
      expect(told(await prepared('refuse'))).toEqual(['Ada', ERASED, 'ERR_SUBJECT_NOT_FOUND']);
      const pretending = await prepared('pretend');
      expect(told(pretending)).toEqual(['Ada', ERASED, 'New']);
      const made = pretending.get('', 'New');
      expect(made).toBeInstanceOf(SubjectKey);
      expect(pretending.get('', 'New')).toBe(made);
      // The next batch knows nothing of it any more.
      await pretending.prepare([]);
      expect(refusalOf(() => pretending.get('', 'New'))).toEqual({
        code: 'ERR_SUBJECT_KEY_NOT_LOADED',
        message: 'The key of the subject "New" is not loaded; await subjects.load([…]) first.',
      });
      expect(await subjectsOf(place)).toEqual(['Ada', 'Brook erased', 'Chidi']);
      const creating = await prepared('create');
      expect(told(creating)).toEqual(['Ada', ERASED, 'New']);
      expect(creating.generation).toBe(subjects.generation);
      expect(await subjectsOf(place)).toEqual(['Ada', 'Brook erased', 'Chidi', 'New']);
      expect(told(await prepared('refuse'))).toEqual(['Ada', ERASED, 'New']);
    }));
});

describe.each(FIELDS_DATABASES)('an erasure in the middle of a sweep on %s', (_name, withFields) => {
  it('is learned of with the next batch', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', FOUR);
      await place.run('encrypt', MIGRATING);
      const source = sweptSubjects((await place.application()).subjects, 'create');
      const names = ['Ada', 'Brook'].map((subject) => ({ tenant: '', subject }));
      await source.prepare(names);
      expect(source.get('', 'Ada').subject).toBe('Ada');
      await place.erase('Ada', SEALED);
      await source.prepare(names);
      expect(refusalOf(() => source.get('', 'Ada'))).toEqual({
        code: 'ERR_SUBJECT_ERASED',
        message: 'The subject "Ada" was erased: nothing of it can be read or written.',
      });
      expect(source.get('', 'Brook').subject).toBe('Brook');
    }));
});

/** A sweep's connection, and what the application does, on either database. */
interface Driver {
  readonly database: SweepDatabase;
  readonly table: SweptTable;
  readonly ring: Parameters<typeof walkRange>[0]['ring'];
  commit(rows: readonly SweptRow[], work: BatchWork, checkpoint: object): Tally | Promise<Tally>;
  run(sql: string): Promise<unknown>;
  read(): Promise<AppRow[]>;
}

const ROWS = "INSERT INTO t (id, person, a) VALUES (1, 'Ada', 'one'), (2, 'Brook', 'two')";
const DRIVERS: [string, (use: (driver: Driver) => Promise<void>) => Promise<void>][] = [
  [
    'SQLite',
    (use) =>
      withSweep({ sql: `${SQL.sqlite}; ${ROWS}`, model: MIGRATING }, (sweep) =>
        use({
          ...sweep,
          run: async (sql) => sweep.app.exec(sql),
          read: async () => sweep.app.prepare('SELECT * FROM t ORDER BY id').all() as AppRow[],
        }),
      ),
  ],
  [
    'PostgreSQL',
    (use) =>
      withPostgresSweep({ sql: `${SQL.postgres}; ${ROWS}`, model: MIGRATING }, (sweep) =>
        use({
          ...sweep,
          run: (sql) => sweep.client.query(sql),
          read: async () => (await sweep.client.query('SELECT * FROM t ORDER BY id')).rows,
        }),
      ),
  ],
];

/** Keys in memory: only of those who were asked for. `afterLoad` is called once, with the first batch loaded and not yet written. */
function keysInMemory(afterLoad: () => Promise<unknown>) {
  const keys = new Map<string, SubjectKey>();
  const loaded = new Set<string>();
  const asked: string[][] = [];
  return {
    asked,
    generation: 1,
    get(_tenant: string, subject: string): SubjectKey {
      if (!loaded.has(subject)) throw new FieldsealError('ERR_SUBJECT_KEY_NOT_LOADED', 'It is not loaded.');
      return keys.get(subject) as SubjectKey;
    },
    async prepare(names: readonly { readonly tenant: string; readonly subject: string }[]): Promise<void> {
      asked.push(names.map(({ subject }) => subject));
      for (const name of names) {
        loaded.add(name.subject);
        if (!keys.has(name.subject)) keys.set(name.subject, new SubjectKey(name, Secret.random(32)));
      }
      if (asked.length === 1) await afterLoad();
    },
  };
}

/** All rows, as one range. */
function wholeTable(table: SweptTable): WalkedRange {
  return { table, part: 'key', cursor: null, upper: null, tally: emptyTally(countedColumns(table)) };
}

describe.each(DRIVERS)('a row that gets another subject while its batch is worked on, on %s', (_name, withDriver) => {
  it('is encrypted for the new one, whose key is loaded then', () =>
    withDriver(async ({ database, table, ring, commit, run, read }) => {
      const subjects = keysInMemory(() => run("UPDATE t SET person = 'Chidi' WHERE id = 2"));
      const pace = { stop: new AbortController().signal, maxRowsPerSecond: null };
      const range = wholeTable(table);
      const tally = await walkRange({ database, ring, subjects, pace }, range, TRANSFORMS.encrypt, commit);
      expect(subjects.asked.map((names) => new Set(names))).toEqual([
        new Set(['Ada', 'Brook']),
        new Set(['Ada', 'Brook', 'Chidi']),
      ]);
      expect(tally['a']).toMatchObject({ total: 2, rotated: 2, failed: 0, held: { v2: 2 } });
      const field = table.fields[0] as SweptTable['fields'][0];
      for (const one of await read()) {
        const text = field.open(ring, one['a'], field.placeIn(one, subjects)).decode(field.declaration.codec);
        expect([one['person'], text]).toEqual(one['id'] === 1 ? ['Ada', 'one'] : ['Chidi', 'two']);
      }
    }));

  it('keeps a token of the old one as it is: it opens for nobody', () =>
    withDriver(async ({ database, table, ring, commit, run, read }) => {
      const pace = { stop: new AbortController().signal, maxRowsPerSecond: null };
      const range = wholeTable(table);
      const first = keysInMemory(async () => {});
      await walkRange({ database, ring, subjects: first, pace }, range, TRANSFORMS.encrypt, commit);
      const before = await read();
      const second = { ...first, asked: [] as string[][], prepare: first.prepare };
      await run("UPDATE t SET person = 'Chidi' WHERE id = 2");
      const tally = await walkRange({ database, ring, subjects: second, pace }, range, TRANSFORMS.decrypt, commit);
      expect(tally['a']).toMatchObject({ total: 2, rotated: 1, failed: 1, held: { plaintext: 1 } });
      expect((await read()).map(({ a }) => a)).toEqual(['one', before[1]?.['a']]);
    }));
});

it('a batch of which PostgreSQL has a part counts no row twice when another row gets a new subject', () =>
  withPostgresSweep({ sql: `${SQL.postgres}; ${ROWS}`, model: MIGRATING }, async (sweep) => {
    const { database, table, ring, commit, client, rows } = sweep;
    // An application holds the second row, and gives it to another subject once the sweep has gone on with the first.
    const holder = await sweep.connect();
    const holdsRow = async () => {
      await holder.query('BEGIN');
      await holder.query("UPDATE t SET person = 'Chidi' WHERE id = 2");
    };
    const subjects = keysInMemory(holdsRow);
    const pace = { stop: new AbortController().signal, maxRowsPerSecond: null };
    const range = wholeTable(table);
    const walked = walkRange({ database, ring, subjects, pace }, range, TRANSFORMS.encrypt, commit);
    const cursorOf = async () => (await rows('SELECT cursor FROM fieldseal.sweep_ranges'))[0]?.[0];
    await expect.poll(cursorOf, { interval: 5, timeout: 4000 }).toBe('[["integer","1"]]');
    await holder.query('COMMIT');
    expect((await walked)['a']).toMatchObject({ total: 2, rotated: 2, current: 0, failed: 0 });
    expect(subjects.asked).toHaveLength(2);
    const stored = (await client.query('SELECT * FROM t ORDER BY id')).rows as AppRow[];
    const field = table.fields[0] as SweptTable['fields'][0];
    const texts = stored.map((one) =>
      field.open(ring, one['a'], field.placeIn(one, subjects)).decode(field.declaration.codec),
    );
    expect([stored.map(({ person }) => person), texts]).toEqual([
      ['Ada', 'Chidi'],
      ['one', 'two'],
    ]);
  }));
