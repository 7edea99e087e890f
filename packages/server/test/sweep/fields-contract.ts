/** What sweeps make of fields of every kind, on the database under test. */
import fc from 'fast-check';
import { codecs, defineModel, encrypted, type Model, type Table } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import type { AppRow, WithFields } from './with-fields.js';

const { string, integer, bigint, number, decimal, boolean, date, timestamp, bytes, json, oneOf } = codecs;
type AnyCodec = ReturnType<typeof codecs.codec<unknown>>;

const text = fc.string({ unit: 'binary', maxLength: 30 }).map((value) => value.replaceAll('\0', ''));
const day = { min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true };

/** Every codec with values that its columns hold in this test. */
const CODECS: Readonly<Record<string, [codec: unknown, values: fc.Arbitrary<unknown>, edges: readonly unknown[]]>> = {
  string: [string(), text, ['', 'gAAAAA', "a'b\\", '👩‍👩‍👧', 'null']],
  integer: [integer(), fc.maxSafeInteger(), [0, -1, Number.MAX_SAFE_INTEGER]],
  bigint: [bigint(), fc.bigInt(), [0n, -(2n ** 200n)]],
  number: [number(), fc.double(), [0, -0, Number.NaN, Number.NEGATIVE_INFINITY, 5e-324]],
  decimal: [decimal(), fc.maxSafeNat().map((n) => `${n}.00`), ['0', '0.00', '-12.50']],
  boolean: [boolean(), fc.boolean(), [true, false]],
  date: [date(), fc.date(day).map((value) => value.toISOString().slice(0, 10)), ['2000-02-29']],
  timestamp: [timestamp(), fc.date(day), [new Date(0)]],
  bytes: [bytes(), fc.uint8Array({ maxLength: 30 }), [new Uint8Array(), Uint8Array.of(0, 0xff, 0x5c)]],
  json: [json(), fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value))), [{}, [], '', null]],
  oneOf: [oneOf(['', 'free', 'team']), fc.constantFrom('', 'free', 'team'), ['']],
};

/** The ways to keep a value. */
const KINDS = {
  fernet: { scheme: 'fernet' },
  column: { scheme: 'xaes', alsoReads: ['fernet'] },
  row: { scheme: 'xaes', boundTo: 'row', alsoReads: ['fernet'] },
  subject: { scheme: 'xaes-subject', boundTo: 'row' },
} as const;

interface Column {
  readonly name: string;
  readonly codec: AnyCodec;
  readonly values: readonly unknown[];
  readonly kind: keyof typeof KINDS;
  readonly storage: 'text' | 'bytes';
}

const ROWS = 12;

const COLUMNS: readonly Column[] = Object.entries(CODECS).flatMap(([codecName, [codec, values, edges]], seed) =>
  (Object.keys(KINDS) as Column['kind'][]).flatMap((kind) =>
    (['text', 'bytes'] as const).map(
      (storage): Column => ({
        name: `${codecName}_${kind}_${storage}`,
        codec: codec as AnyCodec,
        values: [null, ...edges, ...fc.sample(values, { seed, numRuns: ROWS })].slice(0, ROWS),
        kind,
        storage,
      }),
    ),
  ),
);

/** The key, its parts in another order than the database's, tenant and subject. */
const CONTEXT = { primaryKey: ['code', 'id', 'n'], tenant: 'org', subject: 'person' };

function model({ reading = 'plaintext' as 'plaintext' | null } = {}): Model {
  const declared = COLUMNS.map(({ name, codec, kind, storage }) => {
    const { alsoReads, ...options } = { alsoReads: [], ...KINDS[kind] };
    return [
      name,
      encrypted(codec, { ...options, storage, alsoReads: reading ? [...alsoReads, reading] : alsoReads }),
    ] as const;
  });
  return defineModel({ t: { ...CONTEXT, columns: Object.fromEntries(declared) } }) as Model;
}

const MIGRATING = model();
const SEALED = model({ reading: null });

const columnsSql = (types: { readonly text: string; readonly bytes: string }) =>
  COLUMNS.map(({ name, storage }) => `"${name}" ${types[storage]}`).join(', ');
const SQL = {
  sqlite: `CREATE TABLE t (id TEXT, n INTEGER, code TEXT, org INTEGER, person TEXT, ${columnsSql({ text: 'TEXT', bytes: 'BLOB' })},
    PRIMARY KEY (id, n, code)) WITHOUT ROWID`,
  postgres: `CREATE TABLE t (id uuid, n bigint, code text, org bigint, person uuid, ${columnsSql({ text: 'text', bytes: 'bytea' })},
    PRIMARY KEY (id, n, code))`,
};

const uuid = (i: number) => `${i.toString(16).padStart(8, '0')}-abcd-4000-8000-000000000000`;
/** The columns of a row that say where it is. */
const placeOf = (i: number) => ({
  id: uuid(i % 5),
  n: i * 1_000_003,
  code: `c'ö${i % 3}`,
  org: 1 + (i % 2),
  person: uuid(i % 4),
});
const valuesOf = (i: number) => Object.fromEntries(COLUMNS.map(({ name, values }) => [name, values[i]]));

/** A value as it stands in the column before anything is encrypted. */
function plaintext({ codec, storage }: Column, value: unknown): string | Buffer | null {
  if (value === null) return null;
  const encoded = codec.encode(value);
  if (storage === 'bytes') return Buffer.from(encoded as string);
  return typeof encoded === 'string' ? encoded : `\\x${Buffer.from(encoded).toString('hex')}`;
}
const plainRow = (i: number) => ({
  ...placeOf(i),
  ...Object.fromEntries(COLUMNS.map((column) => [column.name, plaintext(column, column.values[i])])),
});

/** The declared columns of a row, as the library opens it. */
function opened(table: Table, row: AppRow): AppRow {
  const plain = table.decryptRow(row) as AppRow;
  return Object.fromEntries(COLUMNS.map(({ name }) => [name, plain[name]]));
}

/** The tests, on one database. */
export function describeFields(name: string, withFields: WithFields): void {
  describe(`fields of every kind on ${name}`, () => {
    it('come back as they were from encrypting, rotating and decrypting, and an application reads and writes all along', () =>
      withFields(SQL, async (place) => {
        const stored = () => place.query('SELECT * FROM t ORDER BY n');
        const records = (rows: number[]) =>
          COLUMNS.flatMap(({ values }) => rows.filter((i) => values[i] !== null)).length;
        const old = Array.from({ length: ROWS - 4 }, (_, i) => i);
        const all = Array.from({ length: ROWS }, (_, i) => i);
        await place.insert('t', old.map(plainRow));
        const before = await stored();

        const dry = await place.run('encrypt', MIGRATING, { dryRun: true });
        expect(await stored()).toEqual(before);
        const encryptedReport = await place.run('encrypt', MIGRATING);
        expect(encryptedReport).toMatchObject({ status: 'completed', left: 0, failures: [], counts: dry.counts });
        expect(encryptedReport.counts).toMatchObject({ total: records(old), rotated: records(old) });

        const app = await place.application();
        await app.subjects.create(all.map((i) => ({ tenant: placeOf(i).org, subject: placeOf(i).person })));
        const table = app.table(SEALED);
        for (const [i, row] of (await stored()).entries()) {
          expect(opened(table, row)).toEqual(valuesOf(i));
          for (const { name: column, storage } of COLUMNS) {
            if (row[column] !== null) expect(typeof row[column]).toBe(storage === 'text' ? 'string' : 'object');
          }
        }

        // The application writes four more rows, and all values of an old one again.
        await place.insert(
          't',
          all.slice(old.length).map((i) => table.encryptRow({ ...placeOf(i), ...valuesOf(i) })),
        );
        const { id, n, code, org, person, ...renewed } = table.encryptRow({ ...placeOf(3), ...valuesOf(3) });
        await place.update('t', renewed, { id, n, code });
        expect([org, person]).toEqual([placeOf(3).org, placeOf(3).person]);

        const rotated = await place.run('rotate', SEALED);
        expect(rotated).toMatchObject({ status: 'completed', newKeyVersion: 'v2', left: 0, failures: [] });
        expect(rotated.counts).toMatchObject({ total: records(all), rotated: records(all), skipped: 0 });
        const verified = await place.run('verify', SEALED);
        expect(verified).toMatchObject({ status: 'completed', failures: [] });
        for (const { held, total } of verified.columns) expect(held).toEqual({ v2: total });
        for (const [i, row] of (await stored()).entries()) expect(opened(table, row)).toEqual(valuesOf(i));

        const decrypted = await place.run('decrypt', SEALED);
        expect(decrypted).toMatchObject({ status: 'completed', left: 0, failures: [] });
        const after = await stored();
        expect(after.slice(0, before.length)).toEqual(before);
        for (const [i, row] of after.entries()) {
          const values = COLUMNS.map(({ name: column }) => row[column]);
          expect(values).toEqual(COLUMNS.map((column) => plaintext(column, column.values[i])));
        }
      }));

    it('bound to keys of bytes are read by whoever has the bytes', () =>
      withFields(
        {
          sqlite: 'CREATE TABLE t (k BLOB PRIMARY KEY NOT NULL, v TEXT)',
          postgres: 'CREATE TABLE t (k bytea PRIMARY KEY, v text)',
        },
        async (place) => {
          const bound = (alsoReads: 'plaintext'[]) =>
            defineModel({
              t: {
                primaryKey: 'k',
                columns: { v: encrypted(string(), { scheme: 'xaes', boundTo: 'row', alsoReads }) },
              },
            }) as Model;
          const keys = ['', '00', 'ff00ff', '5c7830', '5c', '22'].map((hex) => Buffer.from(hex, 'hex'));
          await place.insert(
            't',
            keys.map((k) => ({ k, v: `of ${k.toString('hex')}` })),
          );
          const { counts } = await place.run('encrypt', bound(['plaintext']));
          expect(counts).toMatchObject({ total: 6, rotated: 6, failed: 0 });
          const table = (await place.application()).table(bound([]));
          for (const row of await place.query('SELECT * FROM t')) {
            expect(table.decryptRow(row)['v']).toBe(`of ${row['k'].toString('hex')}`);
          }
          await place.insert('t', [table.encryptRow({ k: Buffer.from('new'), v: 'of the application' })]);
          expect(await place.run('rotate', bound([]))).toMatchObject({ status: 'completed', counts: { rotated: 7 } });
          expect(await place.run('verify', bound([]))).toMatchObject({ status: 'completed', counts: { current: 7 } });
        },
      ));

    const SMALL = {
      sqlite: 'CREATE TABLE t (id INTEGER PRIMARY KEY, org TEXT, a TEXT, b TEXT)',
      postgres: 'CREATE TABLE t (id int PRIMARY KEY, org text, a text, b text)',
    };
    /** Of `a` bound to its row and `b` to its column, both to a tenant. */
    const small = (alsoReads: 'plaintext'[]) =>
      defineModel({
        t: {
          primaryKey: 'id',
          tenant: 'org',
          columns: {
            a: encrypted(integer(), { scheme: 'xaes', boundTo: 'row', alsoReads }),
            b: encrypted(string({ length: 20 }), { scheme: 'xaes', alsoReads }),
          },
        },
      }) as Model;
    const people = [1, 2, 3, 4].map((id) => ({ id, org: id < 3 ? 'one' : 'two', a: String(10 * id), b: `b${id}` }));

    it('that were moved to another row, tenant or column are reported where they stand, and left as they are', () =>
      withFields(SMALL, async (place) => {
        await place.insert('t', people);
        await place.run('encrypt', small(['plaintext']));
        const [one, two, three, four] = (await place.query('SELECT * FROM t ORDER BY id')) as [
          AppRow,
          AppRow,
          AppRow,
          AppRow,
        ];
        // In another row: the value bound to its row alone does not open. In another tenant or column: neither does.
        await place.update('t', { a: two['a'], b: two['b'] }, { id: 1 });
        await place.update('t', { b: one['b'] }, { id: 3 });
        await place.update('t', { a: four['b'], b: four['a'] }, { id: 4 });
        const moved = await place.query('SELECT * FROM t ORDER BY id');
        const verified = await place.run('verify', small([]));
        expect(verified).toMatchObject({ status: 'completed_with_failures', counts: { current: 4, failed: 4 } });
        const expected = ['a: [1]: no_key', 'a: [4]: no_key', 'b: [3]: no_key', 'b: [4]: no_key'];
        expect(await place.failures(verified.run)).toEqual(expected);
        const rotated = await place.run('rotate', small([]));
        expect(rotated).toMatchObject({ left: 0, counts: { rotated: 4, failed: 4 } });
        const after = await place.query('SELECT * FROM t ORDER BY id');
        expect([after[0]?.['a'], after[2]?.['b'], after[3]]).toEqual([moved[0]?.['a'], moved[2]?.['b'], moved[3]]);
        expect(three['a']).not.toBe(after[2]?.['a']);
      }));

    it('in rows without what they are bound to, or that are no values, are reported, and the rest is swept', () =>
      withFields(SMALL, async (place) => {
        await place.insert('t', [
          ...people,
          { id: 5, org: null, a: '5', b: 'b5' },
          { id: 6, org: '', a: '6', b: 'b6' },
          { id: 7, org: 'two', a: '0x7', b: 'b7' },
          { id: 8, org: 'two', a: '8', b: 'x'.repeat(21) },
        ]);
        const report = await place.run('encrypt', small(['plaintext']));
        expect(report).toMatchObject({
          status: 'completed_with_failures',
          left: 0,
          counts: { total: 16, rotated: 10, failed: 6 },
        });
        expect(await place.failures(report.run)).toEqual([
          ...['a: [5]: no_context', 'a: [6]: no_context', 'a: [7]: not_value'],
          ...['b: [5]: no_context', 'b: [6]: no_context', 'b: [8]: too_long'],
        ]);
        const table = (await place.application()).table(small([]));
        for (const { id } of people) {
          const [row] = await place.query('SELECT * FROM t WHERE id = ?', id);
          expect(table.decryptRow(row as AppRow)).toMatchObject({ a: 10 * id, b: `b${id}` });
        }
        const plain = await place.query('SELECT a, b FROM t WHERE id IN (5, 6) ORDER BY id');
        expect(plain).toEqual([
          { a: '5', b: 'b5' },
          { a: '6', b: 'b6' },
        ]);
      }));

    it('stay where they are when their table or column gets another name, by their contextId', () =>
      withFields(SMALL, async (place) => {
        await place.insert('t', people);
        await place.run('encrypt', small(['plaintext']));
        await place.query('ALTER TABLE t RENAME COLUMN b TO c');
        await place.query('ALTER TABLE t RENAME TO u');
        const renamed = (contextId?: string) =>
          defineModel({
            u: {
              primaryKey: 'id',
              tenant: 'org',
              columns: { c: encrypted(string(), { scheme: 'xaes', ...(contextId && { contextId }) }) },
            },
          }) as Model;
        expect(await place.run('verify', renamed('t.b'))).toMatchObject({ counts: { current: 4, failed: 0 } });
        expect(await place.run('verify', renamed())).toMatchObject({ counts: { current: 0, failed: 4 } });
        expect(await place.run('rotate', renamed('t.b'))).toMatchObject({ counts: { rotated: 4 } });
        expect(await place.run('verify', renamed('t.b'))).toMatchObject({ columns: [{ held: { v2: 4 } }] });
      }));
  });
}
