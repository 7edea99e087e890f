/** The `xaes` schemes: against their twin byte by byte, bound to their place, and strict about what a token is. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Secret } from '../../src/core/secret.js';
import * as codecs from '../../src/fields/codecs.js';
import { encrypted } from '../../src/fields/encrypted.js';
import { Field, type TableContext } from '../../src/fields/field.js';
import type { ContextRow } from '../../src/fields/place.js';
import { type OpenedToken, type Storage, type Stored, UNREADABLE } from '../../src/fields/scheme.js';
import { SCHEMES, shapeOf } from '../../src/fields/schemes.js';
import { SealQueue } from '../../src/fields/seal-queue.js';
import { readXaesHeader } from '../../src/fields/xaes-scheme.js';
import { Keyring } from '../../src/keys/keyring.js';
import { addKey, addPurposeKey, disableKey, promoteKey } from '../../src/keys/keyring-changes.js';
import { openSubjectKeys } from '../../src/keys/subject-keys.js';
import { freshRing, MADE_AT_MS } from '../fresh-keyring.js';
import { MemorySubjects } from '../keys/memory-subjects.js';
import { refusalOf } from '../refusal.js';
import { type TwinKey, type TwinPlace, twinLp, twinOpen, twinSeal } from './xaes-twin.js';

const UNREADABLE_EMAIL = {
  code: 'ERR_DECRYPT_FAILED',
  message:
    'users.email: The stored value cannot be decrypted: it was written under another key or for another place, altered or is not a token.',
};

const ring = addPurposeKey(freshRing(2), 'blind-index', MADE_AT_MS);
const keyring = new Keyring(ring);
const subjects = await openSubjectKeys(new MemorySubjects());
await subjects.create([
  { tenant: 'acme', subject: 42 },
  { tenant: 'acme', subject: 43 },
  { tenant: 'other', subject: 42 },
]);
afterAll(() => subjects.close());

const SCHEME_NAMES = ['xaes', 'xaes-subject'] as const;
const STORAGES: readonly Storage[] = ['text', 'bytes'];
const context: TableContext = { primaryKey: ['shard', 'id'], tenant: 'org', subject: 'person' };
const row = { org: 'acme', shard: 3, id: 'x', person: 42 };

interface FieldOptions {
  readonly scheme?: 'xaes' | 'xaes-subject';
  readonly boundTo?: 'row' | 'column';
  readonly storage?: Storage;
  readonly contextId?: string;
  readonly column?: string;
  readonly table?: string;
  readonly reads?: boolean;
}

function fieldOf({ table = 'users', column = 'email', scheme = 'xaes', boundTo = 'row', ...more }: FieldOptions = {}) {
  const { storage = 'text', contextId, reads = false } = more;
  const options = { scheme, boundTo, storage, ...(contextId !== undefined && { contextId }) };
  const declaration = encrypted(codecs.string(), { ...options, alsoReads: reads ? ['plaintext'] : [] });
  return new Field(table, column, declaration, context);
}

const encryptIn = (field: Field<string>, at: ContextRow, value: string) =>
  field.encrypt(keyring, value, field.placeIn(at, subjects));
const decryptIn = (field: Field<string>, at: ContextRow, stored: Stored) =>
  field.decrypt(keyring, stored, field.placeIn(at, subjects));

const secretOf = (version: string) => (ring.key(version).secret as Secret).reveal();
const asBytes = (stored: Stored) =>
  typeof stored === 'string' ? Buffer.from(stored, 'base64url') : Buffer.from(stored);

/** What the twin has to know to read what `fieldOf` writes in `row`. */
function twinOf(scheme: 'xaes' | 'xaes-subject', boundTo: 'row' | 'column', version = 'v1') {
  const key: TwinKey = {
    id: ring.key(version).id,
    secret: secretOf(version),
    ...(scheme === 'xaes-subject' && {
      subject: { name: '42', secret: subjects.get('acme', '42').secret.reveal() },
    }),
  };
  const primaryKey = boundTo === 'row' ? twinLp('t3', 'tx') : Buffer.alloc(0);
  const place: TwinPlace = { tenant: 'acme', table: 'users', column: 'email', primaryKey };
  return { key, place };
}

function openedBy(field: Field<string>, stored: Stored): OpenedToken {
  const opened = field.open(ring, stored, field.placeIn(row, subjects));
  if (opened.scheme === 'plaintext') throw new Error('the value is plaintext');
  return opened;
}

describe.each(SCHEME_NAMES)('a token of the scheme %s', (scheme) => {
  describe.each(['row', 'column'] as const)('bound to its %s', (boundTo) => {
    it.each(STORAGES)('is what the twin reads, stored as %s', (storage) => {
      const field = fieldOf({ scheme, boundTo, storage });
      const { key, place } = twinOf(scheme, boundTo);
      fc.assert(
        fc.property(fc.string({ unit: 'binary' }), (text) => {
          const stored = encryptIn(field, row, text);
          expect(typeof stored === 'string' ? 'text' : 'bytes').toBe(storage);
          expect(twinOpen(key, place, asBytes(stored))?.toString()).toBe(text);
        }),
      );
    });

    it.each(STORAGES)('is read when the twin wrote it, under each key of the ring, stored as %s', (storage) => {
      const field = fieldOf({ scheme, boundTo, storage });
      fc.assert(
        fc.property(
          fc.string({ unit: 'binary' }),
          fc.uint8Array({ minLength: 24, maxLength: 24 }),
          fc.constantFrom('v1', 'v2'),
          (text, nonce, version) => {
            const { key, place } = twinOf(scheme, boundTo, version);
            const token = twinSeal(key, place, Buffer.from(nonce), Buffer.from(text));
            const stored = storage === 'text' ? token.toString('base64url') : token;
            expect(decryptIn(field, row, stored)).toBe(text);
            expect(openedBy(field, stored)).toMatchObject({ scheme, keyVersion: version });
          },
        ),
      );
    });
  });

  it('differs at each writing, and no nonce comes twice', () => {
    const field = fieldOf({ scheme });
    const tokens = Array.from({ length: 1000 }, () => asBytes(encryptIn(field, row, 'same')));
    expect(new Set(tokens.map((token) => token.subarray(5, 29).toString('hex'))).size).toBe(1000);
  });

  it.each(STORAGES)('has the length that its declaration foretells, stored as %s', (storage) => {
    const field = fieldOf({ scheme, storage });
    for (let bytes = 0; bytes < 50; bytes++) {
      expect(encryptIn(field, row, 'x'.repeat(bytes)).length).toBe(field.storedLength(bytes));
    }
  });

  it('with any one bit flipped is refused, in the same words', () => {
    const field = fieldOf({ scheme, storage: 'bytes' });
    const text = fieldOf({ scheme });
    const token = asBytes(encryptIn(field, row, 'jane@example.com'));
    for (let bit = 0; bit < token.length * 8; bit++) {
      const flipped = Buffer.from(token);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(refusalOf(() => decryptIn(field, row, flipped))).toEqual(UNREADABLE_EMAIL);
      expect(refusalOf(() => decryptIn(text, row, flipped.toString('base64url')))).toEqual(UNREADABLE_EMAIL);
    }
    expect(decryptIn(field, row, token)).toBe('jane@example.com');
  });

  it('cut off or with something behind it is refused', () => {
    const field = fieldOf({ scheme, storage: 'bytes' });
    const token = asBytes(encryptIn(field, row, 'jane'));
    for (let length = 0; length < token.length; length++) {
      expect(refusalOf(() => decryptIn(field, row, token.subarray(0, length)))).toEqual(UNREADABLE_EMAIL);
    }
    expect(refusalOf(() => decryptIn(field, row, Buffer.concat([token, Buffer.of(0)])))).toEqual(UNREADABLE_EMAIL);
  });

  it('in any other base64 is no token', () => {
    const field = fieldOf({ scheme });
    // A ciphertext of 1 byte makes 46 bytes: two bits of the last character are not used.
    const { key, place } = twinOf(scheme, 'row');
    const token = twinSeal(key, place, Buffer.alloc(24, 0xff), Buffer.from('x')).toString('base64url');
    expect(decryptIn(field, row, token)).toBe('x');
    const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.indexOf(token.at(-1) as string);
    expect(last % 4).toBe(0);
    const trailing = token.slice(0, -1) + ['B', 'R', 'h', 'x'][last >> 4];
    const others = [
      `${token}=`,
      `${token}==`,
      token.replaceAll('-', '+').replaceAll('_', '/'),
      ` ${token}`,
      `${token}\n`,
      `${token.slice(0, 8)}\n${token.slice(8)}`,
      `${token.slice(0, 8)}*${token.slice(8)}`,
      `${token}A`,
      trailing,
    ];
    for (const other of others) {
      expect(other).not.toBe(token);
      expect(refusalOf(() => decryptIn(field, row, other))).toEqual(UNREADABLE_EMAIL);
      const opened = SCHEMES[scheme].open(field.placeIn(row, subjects), ring, other, true);
      if (other !== `${token}A` && other !== trailing) expect(opened).toBeNull();
      expect(opened === null || opened === UNREADABLE).toBe(true);
    }
  });

  it('under a new key keeps its bytes, its place and its storage', () => {
    for (const storage of STORAGES) {
      const field = fieldOf({ scheme, storage });
      const stored = encryptIn(field, row, 'jane');
      const [first, second] = ring.readable;
      if (!first || !second) throw new Error('the ring has two keys');
      const resealed = openedBy(field, stored).reseal(new SealQueue(second)).stored;
      expect(typeof resealed).toBe(typeof stored);
      expect(openedBy(field, resealed)).toMatchObject({ scheme, keyVersion: second.version });
      expect(decryptIn(field, row, resealed)).toBe('jane');
      const { key, place } = twinOf(scheme, 'row', second.version);
      expect(twinOpen(key, place, asBytes(resealed))?.toString()).toBe('jane');
      expect(refusalOf(() => decryptIn(field, { ...row, id: 'y' }, resealed))).toEqual(UNREADABLE_EMAIL);
    }
  });
});

describe('a value', () => {
  const bound = fieldOf();
  const personal = fieldOf({ scheme: 'xaes-subject' });
  const fields = { xaes: bound, 'xaes-subject': personal };

  it.each(SCHEME_NAMES)('moved to another column does not open: %s', (scheme) => {
    const stored = encryptIn(fields[scheme], row, 'jane');
    const other = fieldOf({ scheme, column: 'phone' });
    expect(refusalOf(() => decryptIn(other, row, stored)).code).toBe('ERR_DECRYPT_FAILED');
  });

  it.each(SCHEME_NAMES)('moved to another table does not open: %s', (scheme) => {
    const stored = encryptIn(fields[scheme], row, 'jane');
    const other = fieldOf({ scheme, table: 'admins' });
    expect(refusalOf(() => decryptIn(other, row, stored)).code).toBe('ERR_DECRYPT_FAILED');
  });

  it('moved from "a.b" "c" to "a" "b.c" does not open', () => {
    const stored = encryptIn(fieldOf({ contextId: 'a.b.c' }), row, 'jane');
    expect(decryptIn(fieldOf({ table: 'a.b', column: 'c' }), row, stored)).toBe('jane');
    expect(refusalOf(() => decryptIn(fieldOf({ contextId: 'a.bc' }), row, stored))).toEqual(UNREADABLE_EMAIL);
    expect(refusalOf(() => decryptIn(fieldOf({ contextId: 'ab.c' }), row, stored))).toEqual(UNREADABLE_EMAIL);
  });

  it.each([
    ['another id', { id: 'y' }],
    ['another part of the key', { shard: 4 }],
    ['the parts exchanged', { shard: 'x', id: 3 }],
    ['the parts cut elsewhere', { shard: '3x', id: 'x' }],
    ['a key of bytes', { id: Buffer.from('x') }],
  ])('moved to another row does not open: %s', (_name, other) => {
    for (const scheme of SCHEME_NAMES) {
      const stored = encryptIn(fields[scheme], row, 'jane');
      expect(refusalOf(() => decryptIn(fields[scheme], { ...row, ...other }, stored))).toEqual(UNREADABLE_EMAIL);
    }
  });

  it('bound to its column opens in another row of it', () => {
    const field = fieldOf({ boundTo: 'column' });
    expect(decryptIn(field, { org: 'acme' }, encryptIn(field, row, 'jane'))).toBe('jane');
    expect(refusalOf(() => decryptIn(bound, row, encryptIn(field, row, 'jane')))).toEqual(UNREADABLE_EMAIL);
  });

  it('moved to another tenant does not open', () => {
    const field = fieldOf({ boundTo: 'column' });
    for (const from of [bound, field]) {
      const stored = encryptIn(from, row, 'jane');
      expect(refusalOf(() => decryptIn(from, { ...row, org: 'other' }, stored))).toEqual(UNREADABLE_EMAIL);
    }
    const stored = encryptIn(personal, row, 'jane');
    expect(refusalOf(() => decryptIn(personal, { ...row, org: 'other' }, stored))).toEqual(UNREADABLE_EMAIL);
  });

  it('moved to another subject does not open', () => {
    const stored = encryptIn(personal, row, 'jane');
    expect(refusalOf(() => decryptIn(personal, { ...row, person: 43 }, stored))).toEqual(UNREADABLE_EMAIL);
    expect(decryptIn(personal, { ...row, person: '42' }, stored)).toBe('jane');
  });

  it('of one scheme does not open in the other', () => {
    expect(refusalOf(() => decryptIn(personal, row, encryptIn(bound, row, 'jane')))).toEqual(UNREADABLE_EMAIL);
    expect(refusalOf(() => decryptIn(bound, row, encryptIn(personal, row, 'jane')))).toEqual(UNREADABLE_EMAIL);
    for (const scheme of SCHEME_NAMES) {
      const token = asBytes(encryptIn(fields[scheme], row, 'jane'));
      token[0] = scheme === 'xaes' ? 2 : 1;
      const other = fields[scheme === 'xaes' ? 'xaes-subject' : 'xaes'];
      expect(refusalOf(() => decryptIn(other, row, token.toString('base64url')))).toEqual(UNREADABLE_EMAIL);
    }
  });

  it('opens in the same row however a driver returns its key', () => {
    const stored = encryptIn(bound, { ...row, shard: 3n, id: '12' }, 'jane');
    expect(decryptIn(bound, { ...row, shard: '3', id: 12 }, stored)).toBe('jane');
  });

  it('of a renamed column opens under the contextId of the day when it was declared', () => {
    const stored = encryptIn(bound, row, 'jane');
    const renamed = fieldOf({ table: 'people', column: 'mail', contextId: 'users.email' });
    expect(decryptIn(renamed, row, stored)).toBe('jane');
    expect(decryptIn(bound, row, encryptIn(renamed, row, 'jane'))).toBe('jane');
    const forgetful = fieldOf({ table: 'people', column: 'mail' });
    expect(refusalOf(() => decryptIn(forgetful, row, stored))).toEqual({
      ...UNREADABLE_EMAIL,
      message: UNREADABLE_EMAIL.message.replace('users.email', 'people.mail'),
    });
  });

  it('is missed its row, its tenant and its subject’s key by name, and never shown', () => {
    const refusals = [
      () => bound.encrypt(keyring, 'SECRET'),
      () => encryptIn(bound, { ...row, id: undefined }, 'SECRET'),
      () => encryptIn(bound, { ...row, org: null }, 'SECRET'),
      () => encryptIn(bound, { ...row, id: 1.5 }, 'SECRET'),
      () => encryptIn(personal, { ...row, person: 44 }, 'SECRET'),
      () => personal.encrypt(keyring, 'SECRET', personal.placeIn(row)),
    ].map(refusalOf);
    expect(refusals.map(({ code }) => code)).toEqual([
      'ERR_CONTEXT_INCOMPLETE',
      'ERR_CONTEXT_INCOMPLETE',
      'ERR_CONTEXT_INCOMPLETE',
      'ERR_CONTEXT_TYPE',
      'ERR_SUBJECT_KEY_NOT_LOADED',
      'ERR_SUBJECT_KEY_NOT_LOADED',
    ]);
    for (const { message } of refusals) {
      expect(message).toMatch(/^users\.email: /);
      expect(message).not.toContain('SECRET');
    }
  });
});

describe('a refusal of decryption', () => {
  it('never tells why: other key, other place, altered and no token read alike', () => {
    const field = fieldOf();
    const { place } = twinOf('xaes', 'row');
    const nonce = Buffer.alloc(24);
    const foreign = twinSeal({ id: 1, secret: Buffer.alloc(32, 1) }, place, nonce, Buffer.from('x'));
    const misnamed = twinSeal({ id: ring.key('v1').id, secret: Buffer.alloc(32, 1) }, place, nonce, Buffer.from('x'));
    const underV2 = twinSeal({ id: ring.key('v1').id, secret: secretOf('v2') }, place, nonce, Buffer.from('x'));
    const stored = encryptIn(field, row, 'x') as string;
    const refusals = [foreign, misnamed, underV2]
      .map((token) => token.toString('base64url'))
      .concat(stored.slice(0, -1), '', 'plain text', 'AQ', `${stored}=`)
      .map((text) => refusalOf(() => decryptIn(field, row, text)));
    for (const refusal of refusals) expect(refusal).toEqual(UNREADABLE_EMAIL);
  });
});

describe('a token of a key', () => {
  const field = fieldOf({ reads: true });
  const place = field.placeIn(row, subjects);
  const open = (stored: Stored, isDeclared: boolean, of = ring) => SCHEMES.xaes.open(place, of, stored, isDeclared);
  const tokenUnder = (id: number, secret: Buffer) =>
    twinSeal({ id, secret }, twinOf('xaes', 'row').place, Buffer.alloc(24), Buffer.from('x')).toString('base64url');

  it('that the ring never had is unreadable in a column of its scheme, and plaintext in another', () => {
    const id = [1, 2, 3, 4].find((one) => ring.keys.every((key) => key.id !== one)) as number;
    const token = tokenUnder(id, Buffer.alloc(32));
    expect(open(token, true)).toBe(UNREADABLE);
    expect(open(token, false)).toBeNull();
    expect(field.examine(ring, token, place)).toEqual({ scheme: 'unreadable' });
    expect(refusalOf(() => decryptIn(field, row, token))).toEqual(UNREADABLE_EMAIL);
    const other = new Field('users', 'email', encrypted(codecs.string(), { alsoReads: ['plaintext'] }));
    expect(other.examine(ring, token)).toMatchObject({ scheme: 'plaintext', keyVersion: null });
    expect(other.decrypt(keyring, token)).toBe(token);
  });

  it('that the ring has is a token in every column', () => {
    const token = tokenUnder(ring.key('v2').id, secretOf('v2'));
    for (const isDeclared of [true, false]) {
      expect(open(token, isDeclared)).toMatchObject({ scheme: 'xaes', keyVersion: 'v2' });
    }
    const damaged = tokenUnder(ring.key('v2').id, Buffer.alloc(32));
    for (const isDeclared of [true, false]) expect(open(damaged, isDeclared)).toBe(UNREADABLE);
  });

  it('that is disabled is unreadable in every column, and pending keys read', () => {
    const added = addKey(ring, null, 'pending', MADE_AT_MS);
    const secret = (added.ring.key(added.version).secret as Secret).reveal();
    const token = tokenUnder(added.ring.key(added.version).id, secret);
    expect(open(token, true, added.ring)).toMatchObject({ keyVersion: 'v3' });
    const disabled = disableKey(promoteKey(promoteKey(added.ring, 'v3'), 'v1'), 'v3', 'field');
    for (const isDeclared of [true, false]) expect(open(token, isDeclared, disabled)).toBe(UNREADABLE);
  });

  it('that is disabled is unreadable under a living subject, and says so of an erased one', async () => {
    const stored = new MemorySubjects();
    const own = await openSubjectKeys(stored);
    try {
      await own.create([{ tenant: 'acme', subject: 42 }]);
      const personal = fieldOf({ scheme: 'xaes-subject' });
      const at = personal.placeIn(row, own);
      const token = personal.encrypt(keyring, 'a', at);
      const promoted = promoteKey(ring, 'v2');
      const disabled = disableKey(promoted, 'v1', 'field');
      expect(personal.examine(promoted, token, at)).toMatchObject({ keyVersion: 'v1' });
      expect(personal.examine(disabled, token, at)).toEqual({ scheme: 'unreadable' });
      stored.erase('42', 'acme');
      await own.refresh();
      for (const of of [promoted, disabled]) {
        expect(refusalOf(() => personal.examine(of, token, at))).toEqual({
          code: 'ERR_SUBJECT_ERASED',
          message: expect.stringContaining('The subject "42" of the tenant "acme" was erased'),
        });
      }
    } finally {
      await own.close();
    }
  });

  it('of another purpose is none of a field', () => {
    const index = ring.key('v1', 'blind-index');
    const token = tokenUnder(index.id, (index.secret as Secret).reveal());
    expect(open(token, true)).toBe(UNREADABLE);
    expect(open(token, false)).toBeNull();
  });
});

describe('the head of a stored value', () => {
  it('tells scheme and key id of a token in text and in bytes', () => {
    for (const scheme of SCHEME_NAMES) {
      for (const storage of STORAGES) {
        const stored = encryptIn(fieldOf({ scheme, storage }), row, '');
        expect(readXaesHeader(stored)).toEqual({ scheme, keyId: ring.primary.id });
        expect(shapeOf(stored)).toBe(scheme);
      }
    }
    expect(readXaesHeader(Buffer.from(`01ffffffff${'00'.repeat(40)}`, 'hex'))).toEqual({
      scheme: 'xaes',
      keyId: 0xffffffff,
    });
  });

  it('is none of anything else', () => {
    const head = (version: number, length: number) => Buffer.concat([Buffer.of(version), Buffer.alloc(length - 1)]);
    for (const stored of ['', 'A', 'hello', head(1, 44), head(0, 45), head(3, 45), Buffer.alloc(0)]) {
      expect(readXaesHeader(stored)).toBeNull();
      expect(shapeOf(stored)).toBe('plaintext');
    }
    expect(readXaesHeader(`${head(1, 46).toString('base64url')}==`)).toBeNull();
  });
});
