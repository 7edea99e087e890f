/** What a transform tells of a whole column, held against what it says of each value by itself. */
import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import {
  addKey,
  addPurposeKey,
  blindIndex,
  codecs,
  createKeyring,
  defineModel,
  encrypted,
  encryptedString,
  Fernet,
  type Model,
  promoteKey,
  Secret,
  tableFields,
  tableIndexes,
} from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { rowWork } from '../../src/sweep/row-work.js';
import type { SweptRow } from '../../src/sweep/sweep-database.js';
import { countedColumns, type SweptTable } from '../../src/sweep/swept-table.js';
import { emptyTally } from '../../src/sweep/tally.js';
import {
  InvalidText,
  type StoredValue,
  TRANSFORMS,
  type Transform,
  verifyingTransform,
} from '../../src/sweep/transform.js';

const SECRETS = [1, 2, 3].map((byte) => Buffer.alloc(32, byte));
const [OLDER, PRIMARY, FOREIGN] = SECRETS.map((bytes) => new Fernet(bytes)) as [Fernet, Fernet, Fernet];
const added = addKey(
  createKeyring(Secret.from(SECRETS[0] as Buffer), [], 0),
  Secret.from(SECRETS[1] as Buffer),
  'pending',
  0,
);
const RING = addPurposeKey(promoteKey(added.ring, added.version), 'blind-index', 0);
const BEFORE = added.ring;

const FACTS = { rows: 1_000_000, distinct: 1_000_000, commonest: 1e-6 };
const MODEL = defineModel({
  t: {
    ...{ primaryKey: 'id', rows: FACTS.rows },
    columns: {
      text: encryptedString(),
      short: encryptedString({ length: 5, alsoReads: ['plaintext'] }),
      age: encrypted(codecs.integer()),
      blob: encrypted(codecs.bytes(), { storage: 'bytes', alsoReads: ['plaintext'] }),
      bound: encrypted(codecs.string(), { scheme: 'xaes', boundTo: 'row' }),
      moving: encrypted(codecs.string(), { scheme: 'xaes', alsoReads: ['fernet', 'plaintext'] }),
      email: encrypted(codecs.string({ length: 50 }), { alsoReads: ['plaintext'], ...FACTS }),
    },
    indexes: { email_index: blindIndex('email', { bits: 17 }) },
  },
}) as Model;
const DECLARED = MODEL.tables['t'] as Model['tables'][string];
const FIELDS = tableFields('t', DECLARED);
const TABLE: SweptTable = { name: 't', keyColumns: ['id'], rowidName: null, fields: FIELDS };
const INDEXED: SweptTable = { ...TABLE, indexes: tableIndexes('t', DECLARED, FIELDS) };

/** Authentic, and yet no token: what it signs is no ciphertext of the key, or of another version. */
function malformed(key: Buffer, version: number): string {
  const signed = Buffer.concat([Buffer.of(version), Buffer.alloc(8), randomBytes(16 + 32)]);
  const bytes = Buffer.concat([signed, createHmac('sha256', key.subarray(0, 16)).update(signed).digest()]);
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

const plaintext = fc.oneof(
  { weight: 5, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }) },
  // Some are too large for a chunk.
  { weight: 1, arbitrary: fc.constantFrom('', 'one', '42', 'x'.repeat(3000), 'y'.repeat(9000)) },
);
const token = fc
  .tuple(fc.constantFrom(OLDER, OLDER, PRIMARY, FOREIGN), plaintext, fc.nat())
  .map(([fernet, text, timeSeconds]) => fernet.encrypt(text, { timeSeconds }));
const shaped = fc.oneof(
  { weight: 8, arbitrary: token },
  { weight: 1, arbitrary: fc.constantFrom(OLDER, PRIMARY).map((fernet) => fernet.encrypt(Buffer.of(0xff, 0))) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(1), fc.constantFrom(0x80, 0x81))
      .map(([key, version]) => malformed(SECRETS[key] as Buffer, version)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(token, fc.nat(), fc.constantFrom('', 'A', '+', '=', '\0', 'é'))
      .map(([whole, at, sign]) => whole.slice(0, at % whole.length) + sign + whole.slice((at % whole.length) + 1)),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(RING, BEFORE), fc.nat(FIELDS.length - 1), fc.nat(9)).map(([ring, i, id]) => {
      const field = FIELDS.find(({ scheme }, j) => scheme === 'xaes' && j >= i) ?? FIELDS[4];
      return field?.encryptNow(ring, 'of xaes', field.placeIn({ id })) as string;
    }),
  },
);
const cell: fc.Arbitrary<StoredValue | null> = fc.oneof(
  { weight: 8, arbitrary: shaped },
  { weight: 3, arbitrary: shaped.map((text) => Buffer.from(text, 'base64url')) },
  { weight: 1, arbitrary: plaintext },
  { weight: 1, arbitrary: plaintext.map((text) => Buffer.from(text)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<StoredValue | null>(null, 7n, 1.5, 'g', new InvalidText(Buffer.of(0x80, 0xff))),
  },
);
/** Rows whose values are taken out of a few, so that there are equal ones. */
const batch = fc
  .array(cell, { minLength: 1, maxLength: 30 })
  .chain((cells) =>
    fc.array(fc.array(fc.constantFrom(...cells), { minLength: 7, maxLength: 7 }), { minLength: 1, maxLength: 25 }),
  )
  .map((rows) =>
    rows.map((values, i): SweptRow => {
      const key = [{ type: 'integer', value: BigInt(i) }] as const;
      return { key, values: [...values, null], context: { id: i } };
    }),
  );

/** A value that was written, in words that are the same for each token of it. */
function described(value: unknown): unknown {
  const text = Buffer.isBuffer(value) ? value.toString('base64').replaceAll('+', '-').replaceAll('/', '_') : value;
  if (typeof text !== 'string' || !text.startsWith('g')) return ['xaes', typeof text === 'string' && text.length];
  const kept = [PRIMARY.extractTimestamp(text), PRIMARY.decryptBytes(text).toString('base64')];
  return [typeof value, ...kept];
}

/** All that is done to a batch. */
function told(transform: Transform, table: SweptTable, rows: readonly SweptRow[], canStore: (text: string) => boolean) {
  const works = rowWork(table, RING, transform, { canStore })(rows);
  const tally = emptyTally(countedColumns(table));
  for (const work of works) work.count(tally);
  return {
    tally,
    failures: works.map(({ failures }) => failures),
    changes: works.map(({ changes }) =>
      changes.map(({ columnIndex, value }) => ({ columnIndex, value: described(value) })),
    ),
  };
}

const TOLD: readonly [string, Transform][] = [
  ['a rotation', TRANSFORMS.rotate],
  ['a verification', TRANSFORMS.verify],
  ['the verifying pass of a rotation', verifyingTransform('rotate')],
  ['the verifying pass of an encryption', verifyingTransform('encrypt')],
];

describe.each(TOLD)('a column of %s', (_name, transform) => {
  const { field, indexes } = transform;

  it.each([
    ['without indexes', TABLE],
    ['with one', INDEXED],
  ])('is told as each of its values is by itself, in a run %s', (_what, table) => {
    const isShort = (text: string) => text.length % 7 > 0;
    fc.assert(
      fc.property(
        batch,
        fc.constantFrom(isShort, () => true),
        (rows, canStore) => {
          const singly = told({ field, indexes }, table, rows, canStore);
          expect(told(transform, table, rows, canStore)).toEqual(singly);
        },
      ),
      { numRuns: 100 },
    );
  });
});
