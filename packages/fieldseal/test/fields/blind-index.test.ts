/** Blind indexes: against their twin, under the right key, and of the right size. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Secret } from '../../src/core/secret.js';
import { BlindIndex } from '../../src/fields/blind-index.js';
import * as codecs from '../../src/fields/codecs.js';
import { encrypted } from '../../src/fields/encrypted.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { type BlindIndexOptions, blindIndex } from '../../src/fields/index-declaration.js';
import { normalise } from '../../src/fields/normaliser.js';
import type { ContextRow } from '../../src/fields/place.js';
import { tableFields } from '../../src/fields/table.js';
import { addKey, addPurposeKey, disableKey, promoteKey } from '../../src/keys/keyring-changes.js';
import type { KeyringSnapshot } from '../../src/keys/keyring-snapshot.js';
import { freshRing, MADE_AT_MS } from '../fresh-keyring.js';
import { refusalOf } from '../refusal.js';
import { twinIndexValue } from './blind-index-twin.js';

const ring = addPurposeKey(freshRing(2), 'blind-index', MADE_AT_MS);
const secretOf = (version: string, of = ring) => (of.key(version, 'blind-index').secret as Secret).reveal();

const columns = {
  email: encryptedString({ length: 20 }),
  first: encryptedString(),
  last: encryptedString(),
  born: encrypted(codecs.date()),
  photo: encrypted(codecs.bytes()),
};

interface IndexOptions extends Partial<BlindIndexOptions> {
  readonly table?: string;
  readonly column?: string;
  readonly tenant?: string;
}

function indexOf(on: string | readonly string[], options: IndexOptions = {}): BlindIndex {
  const { table = 'users', column = 'the_index', tenant, bits = 12, ...more } = options;
  const context = { primaryKey: 'id', columns, ...(tenant !== undefined && { tenant }) };
  return new BlindIndex(table, column, blindIndex(on, { bits, ...more }), context, tableFields(table, context));
}

/** The value under the first key. */
function hashOf(index: BlindIndex, row: ContextRow, of: KeyringSnapshot = ring): string | undefined {
  return index.values(of, index.parts(row), row)[0]?.value;
}

describe('a value of a blind index', () => {
  it('is what the twin computes, for every text and number of bits', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), fc.integer({ min: 1, max: 256 }), (email, bits) => {
        const place = { tenant: '', table: 'users', column: 'the_index' };
        const index = indexOf('email', { bits });
        const value = hashOf(index, { email });
        expect(value).toBe(twinIndexValue(secretOf('v1'), place, bits, email));
        expect(value?.length).toBe(index.storedLength);
      }),
      { numRuns: 300 },
    );
  });

  it('is what the twin computes over several columns, of the tenant', () => {
    const index = indexOf(['last', 'born'], { tenant: 'org', bits: 20, normalise: { last: ['lower-case'] } });
    const place = { tenant: '7', table: 'users', column: 'the_index' };
    expect(hashOf(index, { last: 'Doe', born: '1990-05-01', org: 7 })).toBe(
      twinIndexValue(secretOf('v1'), place, 20, 'doe', '1990-05-01'),
    );
  });

  it('has zeros in the bits of its last byte that are not its own', () => {
    for (let bits = 1; bits <= 24; bits++) {
      const spare = (8 - (bits % 8)) % 8;
      for (let i = 0; i < 40; i++) {
        const value = hashOf(indexOf('email', { bits }), { email: `${i}` }) as string;
        expect(value).toMatch(/^[0-9a-f]+$/);
        expect(value.length).toBe(2 * Math.ceil(bits / 8));
        expect(Number.parseInt(value.slice(-2), 16) % 2 ** spare).toBe(0);
      }
    }
  });

  it('takes every value that its bits allow', () => {
    const index = indexOf('email', { bits: 4 });
    const seen = new Set(Array.from({ length: 500 }, (_, i) => hashOf(index, { email: `${i}` })));
    expect([...seen].sort()).toEqual([...'0123456789abcdef'].map((digit) => `${digit}0`));
  });

  it('is the same for texts that its normalisers make equal, and only for those', () => {
    const index = indexOf('email', { bits: 64, normalise: ['trim', 'lower-case'] });
    expect(hashOf(index, { email: ' Jane@X.com ' })).toBe(hashOf(index, { email: 'jane@x.com' }));
    expect(hashOf(index, { email: 'jane@x.com' })).not.toBe(hashOf(index, { email: 'jan@x.com' }));
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), (one, other) => {
        const same = normalise(['trim', 'lower-case'], one) === normalise(['trim', 'lower-case'], other);
        expect(hashOf(index, { email: one }) === hashOf(index, { email: other })).toBe(same);
      }),
    );
  });

  it('is of the normalised text', () => {
    const place = { tenant: '', table: 'users', column: 'the_index' };
    const index = indexOf('email', { normalise: ['digits', 'last-four'] });
    expect(hashOf(index, { email: '+82-10-1234-5678' })).toBe(twinIndexValue(secretOf('v1'), place, 12, '5678'));
  });

  it('exists for the empty text and for no bytes', () => {
    for (const row of [{ email: '' }, { photo: new Uint8Array() }]) {
      const [column] = Object.keys(row) as [string];
      const place = { tenant: '', table: 'users', column: 'the_index' };
      expect(hashOf(indexOf(column), row)).toBe(twinIndexValue(secretOf('v1'), place, 12, ''));
    }
  });

  it('tells "a" and "bc" from "ab" and "c", and the first column from the second', () => {
    const index = indexOf(['first', 'last'], { bits: 64 });
    const values = [
      ['a', 'bc'],
      ['ab', 'c'],
      ['bc', 'a'],
      ['abc', ''],
    ].map(([first, last]) => hashOf(index, { first, last }));
    expect(new Set(values).size).toBe(4);
  });

  it('is another one in another table, column or tenant', () => {
    const bits = 64;
    const values = [
      hashOf(indexOf('email', { bits }), { email: 'x' }),
      hashOf(indexOf('email', { bits, table: 'admins' }), { email: 'x' }),
      hashOf(indexOf('email', { bits, column: 'other_index' }), { email: 'x' }),
      hashOf(indexOf('email', { bits, tenant: 'org' }), { email: 'x', org: 1 }),
      hashOf(indexOf('email', { bits, tenant: 'org' }), { email: 'x', org: 2 }),
    ];
    expect(new Set(values).size).toBe(values.length);
  });

  it('is the same for a tenant however a driver returns it', () => {
    const index = indexOf('email', { tenant: 'org' });
    const values = [7, 7n, '7'].map((org) => hashOf(index, { email: 'x', org }));
    expect(new Set(values).size).toBe(1);
  });

  it('of a renamed index is that of its contextId', () => {
    const renamed = indexOf('email', { table: 'people', column: 'mail_index', contextId: 'users.the_index' });
    expect(hashOf(renamed, { email: 'x' })).toBe(hashOf(indexOf('email'), { email: 'x' }));
    expect(hashOf(indexOf('email', { table: 'people' }), { email: 'x' })).not.toBe(
      hashOf(indexOf('email'), { email: 'x' }),
    );
  });

  it('exists under the longest tenant in the longest contextId', () => {
    const [column, org] = ['x'.repeat(494), 'ü'.repeat(200)];
    const index = indexOf('email', { column, tenant: 'org' });
    const place = { tenant: org, table: 'users', column };
    expect(hashOf(index, { email: 'x', org })).toBe(twinIndexValue(secretOf('v1'), place, 12, 'x'));
    expect(refusalOf(() => hashOf(index, { email: 'x', org: `${org}x` }))).toEqual({
      code: 'ERR_CONTEXT_TYPE',
      message: `users.${column}: A tenant has at most 400 bytes.`,
    });
  });

  it('stays right for more tenants than are kept ready', () => {
    const index = indexOf('email', { tenant: 'org' });
    const values = Array.from({ length: 1100 }, (_, org) => hashOf(index, { email: 'x', org }));
    for (const org of [0, 999, 1000, 1099]) {
      const place = { tenant: `${org}`, table: 'users', column: 'the_index' };
      expect(values[org]).toBe(twinIndexValue(secretOf('v1'), place, 12, 'x'));
      expect(hashOf(index, { email: 'x', org })).toBe(values[org]);
    }
  });

  it('is none where one of its columns is null', () => {
    const index = indexOf(['first', 'last']);
    expect(index.parts({ first: null, last: 'x' })).toBeNull();
    expect(index.parts({ first: 'x', last: null })).toBeNull();
    expect(index.parts({ first: null })).toBeNull();
    expect(index.values(ring, null, {})).toEqual([]);
    expect(index.values(freshRing(), null, {})).toEqual([]);
  });
});

describe('the keys of a blind index', () => {
  const place = { tenant: '', table: 'users', column: 'the_index' };
  const index = indexOf('email', { bits: 32 });
  const valuesUnder = (of: KeyringSnapshot) => index.values(of, index.parts({ email: 'x' }), {});

  it('have a value each while one takes the place of the other, the one that writes first', () => {
    const { ring: pending } = addKey(ring, null, 'pending', MADE_AT_MS, 'blind-index');
    const ofV1 = { version: 'v1', value: twinIndexValue(secretOf('v1'), place, 32, 'x') };
    const ofV2 = { version: 'v2', value: twinIndexValue(secretOf('v2', pending), place, 32, 'x') };
    expect(valuesUnder(ring)).toEqual([ofV1]);
    expect(valuesUnder(pending)).toEqual([ofV1, ofV2]);
    const promoted = promoteKey(pending, 'v2', 'blind-index');
    expect(valuesUnder(promoted)).toEqual([ofV2, ofV1]);
    expect(valuesUnder(disableKey(promoted, 'v1', 'blind-index'))).toEqual([ofV2]);
  });

  it('are no field keys: a rotation of those leaves the values as they are', () => {
    const before = valuesUnder(ring);
    const { ring: added, version } = addKey(ring, null, 'pending', MADE_AT_MS);
    expect(valuesUnder(promoteKey(added, version))).toEqual(before);
  });

  it('have to be there', () => {
    expect(refusalOf(() => valuesUnder(freshRing(2)))).toEqual({
      code: 'ERR_KEY_NOT_FOUND',
      message:
        'users.the_index: the keyring has no key for blind indexes; `fieldseal index` makes one (a keyring out of environment variables cannot have one).',
    });
  });
});

describe('what an index is computed of', () => {
  it('has all of its columns', () => {
    expect(refusalOf(() => indexOf(['first', 'last', 'born']).parts({ last: 'SECRET' }))).toEqual({
      code: 'ERR_INDEX_INCOMPLETE',
      message: 'users.the_index: the index is made of first, last, born; first, born is left out.',
    });
  });

  it('has the tenant, where the table declares one', () => {
    const index = indexOf('email', { tenant: 'org' });
    for (const org of [undefined, null]) {
      expect(refusalOf(() => hashOf(index, { email: 'SECRET', org }))).toEqual({
        code: 'ERR_CONTEXT_INCOMPLETE',
        message:
          "users.the_index: the index is bound to the row's tenant, and the row has no org; give the row with it.",
      });
    }
    expect(refusalOf(() => hashOf(index, { email: 'SECRET', org: 1.5 }))).toEqual({
      code: 'ERR_CONTEXT_TYPE',
      message: 'users.the_index: A tenant is a whole number or a text that is not empty.',
    });
  });

  it('is a value that its column takes, and an error names the column and never the value', () => {
    expect(refusalOf(() => indexOf('email').parts({ email: 'SECRET'.repeat(5) }))).toEqual({
      code: 'ERR_VALUE_TOO_LONG',
      message: 'users.email: The text is longer than 20 characters.',
    });
    expect(refusalOf(() => indexOf('born').parts({ born: 'SECRET' })).message).toMatch(/^users\.born: [^S]*$/);
    const throwing = () => {
      throw new Error('SECRET');
    };
    expect(refusalOf(() => indexOf('email', { normalise: [throwing] }).parts({ email: 'SECRET' }))).toEqual({
      code: 'ERR_CODEC_FAILED',
      message: 'users.email: A normaliser could not normalise the value.',
    });
  });
});
