/** Where a value stands: the bytes that a token is bound to, and what a row may give for them. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type ContextDeclaration, type ContextRow, NO_PLACE, Place, splitContextId } from '../../src/fields/place.js';
import { openSubjectKeys } from '../../src/keys/subject-keys.js';
import { MemorySubjects } from '../keys/memory-subjects.js';
import { refusalOf } from '../refusal.js';
import { twinLp, twinU32 } from './xaes-twin.js';

const declared: ContextDeclaration = { contextId: 'users.email', tenant: 'org', subject: 'person', rowKey: ['id'] };
const composite: ContextDeclaration = { ...declared, rowKey: ['a', 'b'] };

const UUID = '0E984725-C51C-4BF4-9960-E1C80E27ABA0';
const KEY_IS_MISSING =
  "The value is bound to the row's primary key, and the row has no id; give it, or select it, with the row (a key that the database makes is known only after the insert: insert the row without this value and update it, or make the key in the application).";
const notContext = (what: string) => ({
  code: 'ERR_CONTEXT_TYPE',
  message: `${what} is a whole number or a text that is not empty.`,
});

const placeOf = (row: ContextRow, context = declared) => new Place(context, row);
const keyOf = (...parts: unknown[]) =>
  Buffer.from(
    placeOf(Object.fromEntries(parts.map((part, i) => [`k${i}`, part])), {
      ...declared,
      rowKey: parts.map((_, i) => `k${i}`),
    }).primaryKey,
  ).toString('hex');

describe('a contextId', () => {
  it('is cut at its last dot', () => {
    expect(splitContextId('users.email')).toEqual({ table: 'users', column: 'email' });
    expect(splitContextId('app.users.email')).toEqual({ table: 'app.users', column: 'email' });
  });
});

describe('a tenant', () => {
  it('is the text of the row’s, and empty where the table declares none', () => {
    expect(placeOf({ org: 7 }).tenant).toBe('7');
    expect(placeOf({ org: UUID }).tenant).toBe(UUID.toLowerCase());
    expect(placeOf({ org: 7 }, { ...declared, tenant: null }).tenant).toBe('');
  });

  it.each([[{}], [{ org: null }], [{ org: undefined }]])('that the row has not is missed: %j', (row) => {
    expect(refusalOf(() => placeOf(row).tenant)).toEqual({
      code: 'ERR_CONTEXT_INCOMPLETE',
      message: "The value is bound to the row's tenant, and the row has no org; give the row with it.",
    });
  });
});

describe('a tenant or a subject', () => {
  it('has at most 400 bytes of UTF-8', () => {
    const [longest, longer] = ['ü'.repeat(200), `${'ü'.repeat(200)}x`];
    const refusal = { code: 'ERR_CONTEXT_TYPE', message: 'A tenant or subject has at most 400 bytes.' };
    expect(placeOf({ org: longest }).tenant).toBe(longest);
    expect(refusalOf(() => placeOf({ org: longer }).tenant)).toEqual(refusal);
    expect(refusalOf(() => placeOf({ org: 1, person: longer }).subject)).toEqual(refusal);
    expect(placeOf({ id: longer }).primaryKey).toEqual(twinLp(`t${longer}`));
  });
});

describe('a primary key', () => {
  it('is no bytes for a field that is not bound to its row', () => {
    expect(placeOf({ id: 7 }, { ...declared, rowKey: null }).primaryKey).toEqual(Buffer.alloc(0));
  });

  it('is LP of its parts, each with its kind before it', () => {
    expect(keyOf(42)).toBe('00000001' + '00000003' + '743432');
    expect(keyOf(42, Uint8Array.of(0xff, 0))).toBe('00000002' + '00000003' + '743432' + '00000003' + '62ff00');
    expect(placeOf({ b: 'bc', a: 'a' }, composite).primaryKey).toEqual(twinLp('ta', 'tbc'));
  });

  it('is the same however a driver returns it: 42, 42n, "42", and a UUID in either case', () => {
    expect(new Set([keyOf(42), keyOf(42n), keyOf('42')]).size).toBe(1);
    expect(keyOf(-0)).toBe(keyOf('0'));
    expect(keyOf(UUID)).toBe(keyOf(UUID.toLowerCase()));
    expect(keyOf(Buffer.from('42'))).toBe(keyOf(new Uint8Array(Buffer.from('42'))));
  });

  it('of bytes is not that of the text that they spell', () => {
    expect(keyOf(Buffer.from('42'))).not.toBe(keyOf('42'));
    expect(keyOf(Buffer.from('t42'))).not.toBe(keyOf('42'));
  });

  it('of the parts "a", "bc" is not that of "ab", "c"', () => {
    expect(keyOf('a', 'bc')).not.toBe(keyOf('ab', 'c'));
    expect(keyOf('abc')).not.toBe(keyOf('a', 'bc'));
  });

  it('of two different lists of parts is never the same', () => {
    const part = fc.oneof(
      fc.string({ minLength: 1, maxLength: 3 }),
      fc.integer({ min: -20, max: 20 }),
      fc.bigInt({ min: -20n, max: 20n }),
      fc.uint8Array({ maxLength: 3 }),
    );
    const parts = fc.array(part, { minLength: 1, maxLength: 3 });
    // The list itself, with what counts as equal made equal.
    const canonical = (list: unknown[]) =>
      JSON.stringify(list.map((one) => (one instanceof Uint8Array ? [...one] : String(one))));
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        expect(keyOf(...one) === keyOf(...other)).toBe(canonical(one) === canonical(other));
      }),
      { numRuns: 2000 },
    );
  });

  it.each([[{}], [{ id: null }], [{ id: undefined }]])('that the row has not yet is missed: %j', (row) => {
    expect(refusalOf(() => placeOf(row).primaryKey)).toEqual({
      code: 'ERR_CONTEXT_INCOMPLETE',
      message: KEY_IS_MISSING,
    });
  });

  it('of which one part is missing is missed', () => {
    expect(refusalOf(() => placeOf({ a: 1 }, composite).primaryKey).message).toContain('the row has no b;');
    expect(refusalOf(() => placeOf({ b: 1 }, composite).primaryKey).message).toContain('the row has no a;');
  });

  it.each([['' as unknown], [1.5], [Number.NaN], [2 ** 53], [true], [new Date(0)], [{ id: 1 }], ['\ud800'], [[1]]])(
    'is not one such as %j',
    (id) => {
      expect(refusalOf(() => placeOf({ id }).primaryKey)).toEqual(notContext('A primary key, tenant or subject'));
      expect(refusalOf(() => placeOf({ org: id }).tenant)).toEqual(notContext('A tenant or subject'));
      expect(refusalOf(() => placeOf({ person: id }).subject)).toEqual(notContext('A tenant or subject'));
    },
  );
});

describe('a subject', async () => {
  const subjects = await openSubjectKeys(new MemorySubjects());
  await subjects.create([{ tenant: 1, subject: 42 }]);
  afterAll(() => subjects.close());

  it('is the loaded key of the row’s, under the row’s tenant', () => {
    const place = new Place(declared, { org: '1', person: 42n }, subjects);
    expect(place.subject).toBe(subjects.get('1', '42'));
  });

  it('is not given before it is loaded', () => {
    expect(refusalOf(() => new Place(declared, { org: 2, person: 42 }, subjects).subject)).toEqual({
      code: 'ERR_SUBJECT_KEY_NOT_LOADED',
      message: 'The key of the subject "42" of the tenant "2" is not loaded; await subjects.load([…]) first.',
    });
  });

  it('needs open subject keys', () => {
    expect(refusalOf(() => placeOf({ org: 1, person: 42 }).subject)).toEqual({
      code: 'ERR_SUBJECT_KEY_NOT_LOADED',
      message:
        'The value is under a subject’s key, and no subject keys are open; pass `subjects` (see openSubjectKeys).',
    });
  });

  it('has to be declared, and to be in the row', () => {
    expect(refusalOf(() => placeOf({ person: 42 }, { ...declared, subject: null }).subject)).toEqual({
      code: 'ERR_CONTEXT_INCOMPLETE',
      message: 'The value is under a subject’s key; declare the subject.',
    });
    expect(refusalOf(() => placeOf({ org: 1, person: null }).subject)).toEqual({
      code: 'ERR_CONTEXT_INCOMPLETE',
      message: "The value is bound to the row's subject, and the row has no person; give the row with it.",
    });
  });
});

describe('the associated data', () => {
  it('is LP of label, tenant, table, column, primary key, key id, and what follows', () => {
    const place = placeOf({ org: 'Ö', id: 7 });
    expect(place.associatedData('label/1', 0xfedcba98, 'more')).toEqual(
      twinLp('label/1', 'Ö', 'users', 'email', twinLp('t7'), twinU32(0xfedcba98), 'more'),
    );
    expect(NO_PLACE.associatedData('label/1', 1)).toEqual(twinLp('label/1', '', '', '', '', twinU32(1)));
  });

  it('is made of the row as it is now, and of nothing else in it', () => {
    const row = {
      org: 1,
      id: 7,
      get email(): never {
        throw new Error('nobody asked for it');
      },
    };
    expect(placeOf(row).associatedData('label/1', 1).length).toBeGreaterThan(0);
  });

  it('is not asked for a row before a scheme needs it', () => {
    expect(() => new Place(declared)).not.toThrow();
    expect(refusalOf(() => new Place(declared).associatedData('label/1', 1)).code).toBe('ERR_CONTEXT_INCOMPLETE');
  });
});
