import fc from 'fast-check';
import { codecs, encrypted, encryptedString, Field } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import type { RunKind } from '../../src/store/store.js';
import {
  countUnder,
  FAILURE_REASONS,
  indexOutcome,
  leftToDo,
  type Outcome,
  type StoredValue,
  type SweptRecord,
  TRANSFORMS,
  type Transform,
  type Transformed,
  transformRecords,
  verifyingTransform,
} from '../../src/sweep/transform.js';
import { freshRing } from './fresh-ring.js';

const { ring, older, primary, foreign } = freshRing();
const SEALED = new Field('t', 'phone', encryptedString({ length: 20 }));
const MIGRATING = new Field('t', 'phone', encryptedString({ length: 20, alsoReads: ['plaintext'] }));

const TEXT = '+1-555-0101';
const OLD_TOKEN = older.encrypt(TEXT, { timeSeconds: 1_700_000_000 });
const CURRENT_TOKEN = primary.encrypt(TEXT);

/** The token with its last byte before the padding changed; still canonical base64url of the same length. */
function altered(token: string): string {
  const bytes = Buffer.from(token, 'base64url');
  bytes[30] = (bytes[30] as number) ^ 1;
  return bytes.toString('base64url') + '='.repeat((3 - (bytes.length % 3)) % 3);
}

/** One record, by itself. */
function transformRecord(transform: Transform, keys: typeof ring, record: SweptRecord): Transformed {
  return transformRecords(transform, keys, [record])[0] as Transformed;
}

function outcomeOf(kind: RunKind, stored: StoredValue, field: Field<string> = SEALED): Outcome {
  return transformRecord(TRANSFORMS[kind], ring, { field, stored }).outcome;
}

/** An outcome in a word: what is written is opened first. */
function told(kind: RunKind, stored: StoredValue, field?: Field<string>): string {
  const outcome = outcomeOf(kind, stored, field);
  if (outcome.kind === 'failed') return outcome.reason;
  if (outcome.kind === 'current') return `current ${outcome.holds}`;
  const text = outcome.holds === 'plaintext' ? outcome.value : primary.decrypt(outcome.value as string);
  return `${outcome.holds} ${text}`;
}

const KINDS = ['encrypt', 'rotate', 'decrypt', 'verify'] as const;

const EMOJI = '👩‍👩‍👧'.repeat(4);
const SHAPED = `${Buffer.concat([Buffer.of(0x80), Buffer.alloc(8), Buffer.alloc(64, 7)]).toString('base64url')}==`;

// One row a stored value: what encrypt, rotate, decrypt and verify make of it in a column that reads tokens only.
const OUTCOMES: readonly [string, StoredValue, readonly [string, string, string, string]][] = [
  ['plaintext', TEXT, ['plaintext', 'plaintext', 'current plaintext', 'plaintext']],
  ['a token under the primary', CURRENT_TOKEN, ['current v2', 'current v2', `plaintext ${TEXT}`, 'current v2']],
  ['a token under an older key', OLD_TOKEN, ['current v1', `v2 ${TEXT}`, `plaintext ${TEXT}`, 'current v1']],
  ['a token under a foreign key', foreign.encrypt(TEXT), ['no_key', 'no_key', 'no_key', 'no_key']],
  ['an altered token', altered(CURRENT_TOKEN), ['no_key', 'no_key', 'no_key', 'no_key']],
  ['plaintext in the shape of a token', SHAPED, ['no_key', 'no_key', 'no_key', 'no_key']],
  ['a token cut short', CURRENT_TOKEN.slice(0, -8), ['plaintext', 'plaintext', 'current plaintext', 'plaintext']],
  ['bytes', Buffer.from(TEXT), ['not_text', 'not_text', 'not_text', 'not_text']],
  ['an integer', 15_550_101n, ['not_text', 'not_text', 'not_text', 'not_text']],
  ['a real', 1.5, ['not_text', 'not_text', 'not_text', 'not_text']],
  ['a text that is too long', 'x'.repeat(21), ['plaintext', 'plaintext', 'current plaintext', 'plaintext']],
  ['the empty string', '', ['plaintext', 'plaintext', 'current plaintext', 'plaintext']],
  ['a token of the empty string', older.encrypt(''), ['current v1', 'v2 ', 'plaintext ', 'current v1']],
  ['emoji of 20 code points', EMOJI, ['plaintext', 'plaintext', 'current plaintext', 'plaintext']],
  ['a token of emoji', older.encrypt(EMOJI), ['current v1', `v2 ${EMOJI}`, `plaintext ${EMOJI}`, 'current v1']],
];

describe('each kind of run', () => {
  it.each(OUTCOMES)('does what it should with %s', (_name, stored, expected) => {
    expect(KINDS.map((kind) => told(kind, stored))).toEqual(expected);
  });

  it('lets plaintext be where the declaration reads it, and encrypts it', () => {
    expect(KINDS.map((kind) => told(kind, TEXT, MIGRATING))).toEqual([
      `v2 ${TEXT}`,
      'current plaintext',
      'current plaintext',
      'current plaintext',
    ]);
    expect(
      ['', EMOJI, 'x'.repeat(21), CURRENT_TOKEN.slice(0, -8)].map((text) => told('encrypt', text, MIGRATING)),
    ).toEqual(['v2 ', `v2 ${EMOJI}`, 'too_long', 'too_long']);
  });

  it('makes nothing good of what a sealed column does not read, a token of another scheme neither', () => {
    const bound = new Field<string>('t', 'phone', encryptedString({ scheme: 'xaes' }));
    expect(KINDS.map((kind) => told(kind, CURRENT_TOKEN, bound))).toEqual([
      'scheme',
      'current fernet v2',
      `plaintext ${TEXT}`,
      'scheme',
    ]);
    expect(told('encrypt', TEXT, bound)).toBe('plaintext');
    expect(
      transformRecord(verifyingTransform('encrypt'), ring, { field: bound, stored: CURRENT_TOKEN }).outcome,
    ).toEqual({
      kind: 'failed',
      reason: 'scheme',
    });
  });

  it('answers for each record on its own', () => {
    const records = [OLD_TOKEN, TEXT, 1n, CURRENT_TOKEN].map((stored) => ({ field: SEALED, stored }));
    expect(transformRecords(TRANSFORMS.rotate, ring, records).map(({ outcome }) => outcome)).toEqual([
      { kind: 'write', value: expect.any(String), holds: 'v2' },
      { kind: 'failed', reason: 'plaintext' },
      { kind: 'failed', reason: 'not_text' },
      { kind: 'current', holds: 'v2' },
    ]);
  });
});

describe('rotating', () => {
  it('keeps the time of a token', () => {
    const outcome = outcomeOf('rotate', OLD_TOKEN);
    expect(outcome.kind === 'write' && primary.extractTimestamp(outcome.value as string)).toBe(1_700_000_000n);
  });

  it('moves bytes that are not UTF-8, which decrypting and verifying report', () => {
    const token = older.encrypt(Buffer.of(0xff, 0xfe));
    const outcome = outcomeOf('rotate', token);
    expect(outcome.kind === 'write' && [...primary.decryptBytes(outcome.value as string)]).toEqual([0xff, 0xfe]);
    expect([told('decrypt', token), told('verify', token)]).toEqual(['not_text', 'not_text']);
  });

  it('moves a value that is longer than its column declares', () => {
    expect(told('rotate', older.encrypt('x'.repeat(21)))).toBe(`v2 ${'x'.repeat(21)}`);
  });
});

describe('any text', () => {
  it('comes back the same from encrypting, rotating and decrypting', () => {
    const field = new Field('t', 'phone', encryptedString({ alsoReads: ['plaintext'] }));
    const written = (kind: RunKind, stored: string) => {
      const outcome = outcomeOf(kind, stored, field);
      return outcome.kind === 'write' ? (outcome.value as string) : '';
    };
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const rotated = written('rotate', older.encrypt(text));
        expect(written('decrypt', rotated)).toBe(text);
        const encrypted = written('encrypt', text);
        expect(outcomeOf('encrypt', encrypted, field)).toEqual({ kind: 'current', holds: 'v2' });
        expect(written('decrypt', encrypted)).toBe(text);
      }),
    );
  });

  it('that is not a token is never taken for one, and a token is never encrypted again', () => {
    fc.assert(
      fc.property(fc.base64String({ maxLength: 200 }), (text) => {
        expect(['v2', 'too_long']).toContain(told('encrypt', text, MIGRATING).split(' ')[0]);
      }),
    );
  });
});

describe('the verifying pass', () => {
  const counted = (kind: RunKind, stored: StoredValue) =>
    transformRecord(verifyingTransform(kind), ring, { field: kind === 'verify' ? SEALED : MIGRATING, stored }).outcome;

  it.each(['encrypt', 'rotate', 'decrypt'] as const)(
    'behind %s counts under what each value is kept, whatever the declaration reads',
    (kind) => {
      expect(counted(kind, TEXT)).toEqual({ kind: 'current', holds: 'plaintext' });
      expect(counted(kind, OLD_TOKEN)).toEqual({ kind: 'current', holds: 'v1' });
      expect(counted(kind, CURRENT_TOKEN)).toEqual({ kind: 'current', holds: 'v2' });
      expect(counted(kind, foreign.encrypt(TEXT))).toEqual({ kind: 'failed', reason: 'no_key' });
      expect(counted(kind, 1n)).toEqual({ kind: 'failed', reason: 'not_text' });
    },
  );

  it('does not count as left what could not be encrypted', () => {
    const long = 'x'.repeat(21);
    expect(counted('encrypt', long)).toEqual({ kind: 'failed', reason: 'too_long' });
    expect(counted('decrypt', long)).toEqual({ kind: 'current', holds: 'plaintext' });
  });

  it('of a verify run is its only one, and minds the declaration', () => {
    expect(counted('verify', TEXT)).toEqual({ kind: 'failed', reason: 'plaintext' });
  });

  it('finds left what its run was to change, and nothing else', () => {
    const held = { plaintext: 1, v1: 10, v2: 100 };
    expect(leftToDo('encrypt', null, held)).toBe(1);
    expect(leftToDo('rotate', 'v2', held)).toBe(10);
    expect(leftToDo('decrypt', null, held)).toBe(110);
    expect(leftToDo('verify', null, held)).toBe(0);
    expect(leftToDo('rotate', 'v2', {})).toBe(0);
  });
});

describe('a reason', () => {
  it('is a word with an explanation', () => {
    expect(Object.keys(FAILURE_REASONS)).toEqual([
      'no_key',
      'plaintext',
      'scheme',
      'not_text',
      'too_long',
      'not_value',
      'no_context',
      'erased',
      'no_index',
      'wrong_index',
    ]);
  });
});

describe('a column that changes its scheme', () => {
  const context = { primaryKey: 'id' };
  const declare = (scheme: 'fernet' | 'xaes', alsoReads: readonly ('fernet' | 'xaes')[] = []) =>
    new Field('t', 'phone', encrypted(codecs.string(), { scheme, alsoReads }), context) as Field<unknown>;
  const [fernet, xaes] = [declare('fernet', ['xaes']), declare('xaes', ['fernet'])];
  const ran = (kind: RunKind, field: Field<unknown>, stored: StoredValue) =>
    transformRecord(TRANSFORMS[kind], ring, { field, stored }).outcome;
  const written = (kind: RunKind, field: Field<unknown>, stored: StoredValue) => {
    const outcome = ran(kind, field, stored);
    if (outcome.kind !== 'write') throw new Error(`${kind}: ${outcome.kind}`);
    return { ...outcome, value: outcome.value as string };
  };
  const bound = xaes.encryptNow(ring, TEXT) as string;

  it('is moved by `encrypt` alone, in either direction, to the key that writes', () => {
    const there = written('encrypt', xaes, OLD_TOKEN);
    expect([there.holds, ran('encrypt', xaes, there.value)]).toEqual(['v2', { kind: 'current', holds: 'v2' }]);
    const back = written('encrypt', fernet, there.value);
    expect([back.holds, primary.decrypt(back.value)]).toEqual(['v2', TEXT]);
  });

  it('is rotated in the scheme that each token has', () => {
    const { holds, value } = written('rotate', xaes, OLD_TOKEN);
    expect([holds, primary.decrypt(value)]).toEqual(['fernet v2', TEXT]);
    expect(ran('rotate', xaes, value)).toEqual({ kind: 'current', holds: 'fernet v2' });
    expect(ran('rotate', fernet, bound)).toEqual({ kind: 'current', holds: 'xaes v2' });
  });

  it('is verified by what its declaration reads', () => {
    expect(ran('verify', xaes, OLD_TOKEN)).toEqual({ kind: 'current', holds: 'fernet v1' });
    expect(ran('verify', declare('xaes'), OLD_TOKEN)).toEqual({ kind: 'failed', reason: 'scheme' });
    expect(ran('verify', declare('fernet'), bound)).toEqual({ kind: 'failed', reason: 'scheme' });
    // Nothing makes a good token of it; going back to plaintext takes it along.
    expect(written('decrypt', declare('xaes'), OLD_TOKEN).value).toBe(TEXT);
    expect(ran('encrypt', declare('xaes'), OLD_TOKEN)).toEqual({ kind: 'failed', reason: 'scheme' });
  });

  it('leaves to do what is in the other scheme, or under another key', () => {
    const found = { v2: 1, 'fernet v1': 10, 'fernet v2': 100, plaintext: 1000, erased: 10_000 };
    expect(leftToDo('encrypt', null, found)).toBe(1110);
    expect(leftToDo('rotate', 'v2', found)).toBe(10);
    expect(leftToDo('decrypt', null, found)).toBe(111);
    expect([countUnder('v1', found), countUnder('v2', found), countUnder('v3', found)]).toEqual([10, 101, 0]);
  });
});

describe('a value that is none of its column’s type', () => {
  const field = new Field('t', 'age', encrypted(codecs.integer(), { alsoReads: ['plaintext'] })) as Field<unknown>;
  const ran = (kind: RunKind, stored: StoredValue) =>
    transformRecord(TRANSFORMS[kind], ring, { field, stored }).outcome;

  it('is reported by those who read it, and moved by a rotation, which does not', () => {
    for (const kind of ['encrypt', 'verify'] as const) {
      const stored = kind === 'encrypt' ? 'old' : older.encrypt('old');
      expect(ran(kind, stored)).toEqual({ kind: 'failed', reason: 'not_value' });
    }
    expect(ran('decrypt', older.encrypt('old'))).toEqual({ kind: 'failed', reason: 'not_value' });
    expect(ran('rotate', older.encrypt('old'))).toMatchObject({ kind: 'write', holds: 'v2' });
    expect(transformRecord(verifyingTransform('encrypt'), ring, { field, stored: 'old' }).outcome.kind).toBe('failed');
  });
});

describe('an index value', () => {
  const [first, second] = [
    { version: 'v2', value: 'aa' },
    { version: 'v1', value: 'bb' },
  ] as const;
  const table: [string, typeof expected, StoredValue | null, readonly [unknown, unknown, unknown]][] = [];
  const expected: readonly { version: string; value: string }[] = [first, second];
  const current = (holds: string) => ({ kind: 'current', holds });
  const write = (value: string | null, holds: string) => ({ kind: 'write', value, holds });
  const failed = (reason: string) => ({ kind: 'failed', reason });
  table.push(
    ['of the key that writes', expected, 'aa', [current('index v2'), current('index v2'), current('index v2')]],
    ['of the key that goes', expected, 'bb', [write('aa', 'index v2'), current('index outdated'), current('index v1')]],
    ['that is another', expected, 'cc', [write('aa', 'index v2'), current('index outdated'), failed('wrong_index')]],
    [
      'that is bytes',
      expected,
      Buffer.from('aa'),
      [write('aa', 'index v2'), current('index outdated'), failed('wrong_index')],
    ],
    ['that is a number', expected, 7n, [write('aa', 'index v2'), current('index outdated'), failed('wrong_index')]],
    ['that is not there', expected, null, [write('aa', 'index v2'), current('index outdated'), failed('no_index')]],
    ['of NULL', [], 'aa', [write(null, 'index cleared'), current('index outdated'), failed('wrong_index')]],
    ['of NULL that is NULL', [], null, [null, null, null]],
  );

  it.each(table)('%s is mended, counted as left, or told', (_what, wanted, stored, outcomes) => {
    const kinds = [TRANSFORMS.index, verifyingTransform('index'), TRANSFORMS.verify];
    expect(kinds.map((transform) => indexOutcome(transform, wanted, stored))).toEqual(outcomes);
    expect(indexOutcome(TRANSFORMS.encrypt, wanted, stored)).toEqual(outcomes[0]);
    expect(indexOutcome(verifyingTransform('encrypt'), wanted, stored)).toEqual(outcomes[1]);
  });

  it('is left to do for those who write it, and nobody’s token', () => {
    const found = { 'index outdated': 1, 'index v1': 10, 'index v2': 100, 'index cleared': 1000 };
    expect(
      (['encrypt', 'index', 'rotate', 'decrypt', 'verify'] as const).map((kind) => leftToDo(kind, 'v2', found)),
    ).toEqual([1, 1, 0, 0, 0]);
    expect([countUnder('v1', found), countUnder('v2', found)]).toEqual([0, 0]);
  });
});
