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
const placeOf = (i: number) => ({ id: uuid(i % 5), n: i * 1_000_003, code: `c'ö${i % 3}`, org: 1 + (i % 2), person: uuid(i % 4) });
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
        await app.keyring.refresh();
        for (const [i, row] of (await stored()).entries()) expect(opened(table, row)).toEqual(valuesOf(i));

        const decrypted = await place.run('decrypt', SEALED);
        expect(decrypted).toMatchObject({ status: 'completed', left: 0, failures: [] });
        const after = await stored();
        expect(after.slice(0, before.length)).toEqual(before);
        for (const [i, row] of after.entries()) expect(row).toMatchObject(plainRow(i));
      }));
  });
}
