import {
  addKey,
  addPurposeKey,
  blindIndex,
  codecs,
  defineModel,
  encrypted,
  encryptedString,
  Field,
  FieldsealError,
  isFieldsealError,
  Keyring,
  type Model,
  promoteKey,
  Secret,
  SubjectKey,
  Table,
  tableFields,
  tableIndexes,
} from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { rowWork } from '../../src/sweep/row-work.js';
import type { RowWork, SweptRow } from '../../src/sweep/sweep-database.js';
import { countedColumns, type SweptTable } from '../../src/sweep/swept-table.js';
import { emptyTally } from '../../src/sweep/tally.js';
import { InvalidText, TRANSFORMS, type Transform } from '../../src/sweep/transform.js';
import { refusalOf } from '../refusal.js';
import { freshRing } from './fresh-ring.js';

const { ring, older, primary } = freshRing();
const fields = ['phone', 'fax', 'mobile'].map(
  (column) => new Field('t', column, encryptedString({ alsoReads: ['plaintext'] })),
);
const table = { name: 't', keyColumns: ['id'], rowidName: null, fields };
const key = [{ type: 'integer', value: 1n }] as const;

/** What is to be done to one row of the unbound table. */
function workOn(transform: Transform, values: SweptRow['values']): RowWork {
  return rowWork(table, ring, transform)([{ key, values, context: { id: 1n } }])[0] as RowWork;
}

describe('the work of a row', () => {
  it('changes, reports and counts each of its fields on its own', () => {
    const token = older.encrypt('1');
    const work = workOn(TRANSFORMS.rotate, [7n, token, primary.encrypt('2')]);
    expect(work.changes).toEqual([{ columnIndex: 1, value: expect.any(String) }]);
    expect(primary.decrypt(work.changes[0]?.value as string)).toBe('1');
    expect(work.failures).toEqual([{ columnIndex: 0, reason: 'not_text' }]);
    const tally = emptyTally(['phone', 'fax', 'mobile']);
    work.count(tally);
    expect(tally).toEqual({
      phone: { total: 1, rotated: 0, current: 0, skipped: 0, failed: 1, held: {} },
      fax: { total: 1, rotated: 1, current: 0, skipped: 0, failed: 0, held: { v2: 1 } },
      mobile: { total: 1, rotated: 0, current: 1, skipped: 0, failed: 0, held: { v2: 1 } },
    });
  });

  it('leaves NULL alone: it is no record', () => {
    const work = workOn(TRANSFORMS.encrypt, [null, null, '']);
    expect(work.changes).toMatchObject([{ columnIndex: 2 }]);
    const tally = emptyTally(['phone', 'fax', 'mobile']);
    work.count(tally);
    expect(Object.values(tally).map(({ total }) => total)).toEqual([0, 0, 1]);
  });

  it('is nothing at all in a row of NULLs', () => {
    const work = workOn(TRANSFORMS.encrypt, [null, null, null]);
    expect([work.changes, work.failures]).toEqual([[], []]);
  });
});

const FACTS = { distinct: 1_000_000, commonest: 1e-6 };
const MODEL = defineModel({
  t: {
    ...{ primaryKey: 'id', tenant: 'org', subject: 'person', rows: 1_000_000 },
    columns: {
      email: encrypted(codecs.string({ length: 20 }), {
        scheme: 'xaes',
        boundTo: 'row',
        alsoReads: ['plaintext'],
        ...FACTS,
      }),
      notes: encrypted(codecs.string(), { scheme: 'xaes-subject', alsoReads: ['plaintext'], ...FACTS }),
    },
    indexes: {
      email_index: blindIndex('email', { normalise: ['lower-case'], bits: 17 }),
      notes_index: blindIndex('notes', { bits: 17 }),
    },
  },
});
const DECLARED = (MODEL as Model).tables['t'] as Model['tables'][string];
const boundFields = tableFields('t', DECLARED);
const BOUND: SweptTable = {
  ...{ name: 't', keyColumns: ['id'], rowidName: null, fields: boundFields },
  ...{ indexes: tableIndexes('t', DECLARED, boundFields), context: ['org', 'person'] },
};
const INDEX_RING = addPurposeKey(ring, 'blind-index', 0);
const ADA = new SubjectKey({ tenant: 'a', subject: 'Ada' }, Secret.random(32));
const subjects = {
  generation: 1,
  get(tenant: string, subject: string) {
    if (tenant === 'a' && subject === 'Ada') return ADA;
    if (subject === 'Brook') throw new FieldsealError('ERR_SUBJECT_ERASED', 'Erased.');
    throw new FieldsealError('ERR_SUBJECT_KEY_NOT_LOADED', 'Not loaded.');
  },
};
const app = new Table(MODEL, 't', new Keyring(INDEX_RING), { subjects });

/** A row as a sweep reads it. */
function rowOf(values: Record<string, unknown>) {
  const {
    id = 1n,
    org = 'a',
    person = 'Ada',
    email = null,
    notes = null,
    email_index = null,
    notes_index = null,
  } = values;
  return {
    key,
    values: [email, notes, email_index, notes_index, org, person] as never,
    context: { id, org, person },
  };
}

/** What a kind of run does to a row: its changes by their columns, its failures, and what each column holds. */
function told(kind: keyof typeof TRANSFORMS, values: Record<string, unknown>, table = BOUND, indexRing = INDEX_RING) {
  const [work] = rowWork(table, indexRing, TRANSFORMS[kind], { subjects })([rowOf(values)]) as [RowWork];
  const names = ['email', 'notes', 'email_index', 'notes_index'];
  const tally = emptyTally(countedColumns(table));
  work.count(tally);
  return {
    changes: Object.fromEntries(work.changes.map(({ columnIndex, value }) => [names[columnIndex], value])),
    failures: work.failures.map(({ columnIndex, reason }) => `${names[columnIndex]} ${reason}`),
    held: Object.fromEntries(Object.entries(tally).map(([column, { held }]) => [column, Object.keys(held).join()])),
  };
}

describe('the work of a row that is bound and indexed', () => {
  const whole = app.encryptRow({ id: 1, org: 'a', person: 'Ada', email: 'One', notes: 'of Ada' });

  it('makes tokens and indexes in one write, which the application then reads', () => {
    const { changes, failures, held } = told('encrypt', { email: 'One', notes: 'of Ada' });
    expect(failures).toEqual([]);
    expect(app.decryptRow({ id: 1, org: 'a', person: 'Ada', ...changes })).toMatchObject({
      email: 'One',
      notes: 'of Ada',
    });
    expect([changes['email_index'], changes['notes_index']]).toEqual([whole.email_index, whole.notes_index]);
    expect(held).toEqual({ email: 'v2', notes: 'v2', email_index: 'index v1', notes_index: 'index v1' });
  });

  it('is nothing where all is as it should be', () => {
    for (const kind of ['encrypt', 'index', 'verify'] as const) {
      const table = kind === 'index' ? { ...BOUND, indexesOnly: true as const } : BOUND;
      expect(told(kind, whole, table)).toMatchObject({ changes: {}, failures: [], held: { email_index: 'index v1' } });
    }
  });

  it('says once why an index cannot be made, unless indexes are all that it counts', () => {
    const unreadable = { ...whole, email: app.encryptRow({ id: 2, org: 'a', email: 'One' }).email };
    expect(told('verify', unreadable).failures).toEqual(['email no_key']);
    expect(told('encrypt', { ...whole, email: 'x'.repeat(21) }).failures).toEqual(['email too_long']);
    const indexesOnly = { ...BOUND, indexesOnly: true as const };
    expect(told('index', unreadable, indexesOnly).failures).toEqual(['email_index no_key']);
    expect(told('index', { ...whole, email: new InvalidText(Buffer.of(0xff)) }, indexesOnly).failures).toEqual([
      'email_index not_text',
    ]);
  });

  it('goes on with a row’s other columns when one cannot be read', () => {
    const { changes, failures } = told('encrypt', { email: new InvalidText(Buffer.of(0xff)), notes: 'of Ada' });
    expect(failures).toEqual(['email not_text']);
    expect(Object.keys(changes)).toEqual(['notes', 'notes_index']);
  });

  it('does without tenant and subject only where nothing is bound to them', () => {
    expect(told('encrypt', { org: null, email: 'One', notes: 'x' })).toMatchObject({
      changes: {},
      failures: ['email no_context', 'notes no_context'],
    });
    expect(told('encrypt', { person: null, email: 'One', notes: 'x' })).toMatchObject({
      failures: ['notes no_context'],
      held: { email: 'v2', email_index: 'index v1' },
    });
    expect(told('verify', { ...whole, org: null, email: null, notes: null }).failures).toEqual([
      'email_index wrong_index',
      'notes_index wrong_index',
    ]);
  });

  it('of an erased subject empties the index of what nobody can read, and leaves the value', () => {
    const erased = { ...whole, person: 'Brook' };
    expect(told('encrypt', erased)).toEqual({
      changes: { notes_index: null },
      failures: [],
      held: { email: 'v2', notes: 'erased', email_index: 'index v1', notes_index: 'index cleared' },
    });
    expect(told('rotate', erased, { ...BOUND, indexes: [] })).toMatchObject({ changes: {}, held: { notes: 'erased' } });
    expect(told('verify', { ...erased, notes: 'again' }).failures).toEqual(['notes_index wrong_index']);
    expect(told('encrypt', { ...erased, notes: 'again' }).failures).toEqual(['notes erased']);
  });

  it('asks for a key that is not loaded by throwing, so that the row is done once it is', () => {
    expect(refusalOf(() => told('encrypt', { person: 'Chidi', notes: 'x' })).code).toBe('ERR_SUBJECT_KEY_NOT_LOADED');
    // Nobody asks for it who has nothing under it.
    expect(told('encrypt', { person: 'Chidi', email: 'One' }).failures).toEqual([]);
  });

  it('cannot begin without a key for indexes', () => {
    try {
      told('encrypt', { email: 'One' }, BOUND, ring);
      throw new Error('nothing was refused');
    } catch (error) {
      expect(isFieldsealError(error) && error.code).toBe('ERR_KEY_NOT_FOUND');
    }
  });

  it('takes the values of both keys for right while one comes and one goes, and writes that of the newer', () => {
    const added = addKey(INDEX_RING, null, 'pending', 0, 'blind-index');
    const moving = promoteKey(added.ring, 'v2', 'blind-index');
    const newer = new Table(MODEL, 't', new Keyring(moving), { subjects }).encryptRow({
      id: 1,
      org: 'a',
      email: 'One',
    });
    expect(newer.email_index).not.toBe(whole.email_index);
    const [old, fresh] = [{ ...whole }, { ...whole, email_index: newer.email_index }];
    expect(told('verify', old, BOUND, moving)).toMatchObject({ failures: [], held: { email_index: 'index v1' } });
    expect(told('verify', fresh, BOUND, moving)).toMatchObject({ failures: [], held: { email_index: 'index v2' } });
    expect(told('index', old, { ...BOUND, indexesOnly: true }, moving).changes['email_index']).toBe(newer.email_index);
  });
});
