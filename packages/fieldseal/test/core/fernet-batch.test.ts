/** Batches, held against the single calls and the twin. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { BatchResult, Hashing } from '../../src/core/batch.js';
import { CbcStream } from '../../src/core/cbc-stream.js';
import { Fernet } from '../../src/core/fernet.js';
import { decryptMany, encryptMany, findTextKeys, renewMany, rotateMany } from '../../src/core/fernet-batch.js';
import { FernetKey } from '../../src/core/fernet-key.js';
import { MultiFernet } from '../../src/core/multi-fernet.js';
import { type ErrorCode, isFieldsealError } from '../../src/errors.js';
import { twinDecrypt, twinEncrypt, twinParts, twinSign } from './fernet-twin.js';

const keyBytes = [1, 2, 3].map((byte) => Buffer.alloc(32, byte));
const keys = keyBytes.map((bytes) => new FernetKey(bytes));
const fernets = keyBytes.map((bytes) => new Fernet(bytes));
const [first] = keys as [FernetKey];
const [firstBytes] = keyBytes as [Buffer];
const multi = new MultiFernet(fernets);
const text = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  { weight: 1, arbitrary: fc.nat(9000).map((length) => 'x'.repeat(length)) },
  { weight: 1, arbitrary: fc.nat(3000).map((length) => '한'.repeat(length)) },
);

const hashing = fc.constantFrom<Hashing>('lanes', 'native');

/** The same batch, value by value. */
function oneByOne(values: readonly (string | null)[], work: (value: string) => string): BatchResult {
  const failures: { index: number; code: ErrorCode }[] = [];
  const results = values.map((value, index) => {
    if (value === null) return null;
    try {
      return work(value);
    } catch (error) {
      if (!isFieldsealError(error)) throw error;
      failures.push({ index, code: error.code });
      return null;
    }
  });
  return { values: results, failures };
}

/** Whether the first key alone opens a token. */
function isUnderFirst(token: string | null): boolean {
  try {
    return token !== null && fernets[0]?.decryptBytes(token) !== undefined;
  } catch (error) {
    if (!isFieldsealError(error)) throw error;
    return false;
  }
}

/** Tokens of each kind that a batch may meet, good and bad. */
const token = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.nat(2), text, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
      .map(([key, plaintext, seconds]) =>
        twinEncrypt(keyBytes[key] as Buffer, Buffer.from(plaintext), seconds, randomBytes(16)),
      ),
  },
  // Under a key that is not in the ring; of another version; not UTF-8; without padding.
  { weight: 1, arbitrary: text.map((plaintext) => new Fernet(Buffer.alloc(32, 9)).encrypt(Buffer.from(plaintext))) },
  {
    weight: 1,
    arbitrary: fc.nat(255).map((version) => twinEncrypt(firstBytes, Buffer.alloc(20), 1n, randomBytes(16), version)),
  },
  { weight: 1, arbitrary: fc.nat(40).map((length) => multi.encrypt(Buffer.alloc(length + 1, 0xff))) },
  {
    weight: 1,
    arbitrary: fc
      .nat(5)
      .map((blocks) =>
        twinSign(
          firstBytes,
          Buffer.concat([Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 1]), randomBytes(32 + 16 * blocks)]),
        ),
      ),
  },
  // Cut short, or with a character changed.
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(2), text, fc.nat(), fc.constantFrom('', 'A', '+', '=', 'é'))
      .map(([key, plaintext, at, sign]) => {
        const whole = (fernets[key] as Fernet).encrypt(Buffer.from(plaintext));
        const cut = at % whole.length;
        return whole.slice(0, cut) + sign + whole.slice(cut + 1);
      }),
  },
  fc.constantFrom<string | null>(null, '', 'hello', 'gAAAAA=='),
);

describe('a batch', () => {
  it('is encrypted to tokens that are the twin’s, made again with their own IVs and times', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(text, fc.constant(null)), { maxLength: 40 }), hashing, (values, how) => {
        const { values: tokens, failures } = encryptMany(first, values, how);
        const bad = values.flatMap((value, index) => (value === null || value.isWellFormed() ? [] : [index]));
        expect(failures).toEqual(bad.map((index) => ({ index, code: 'ERR_VALUE_NOT_TEXT' })));
        for (const [i, value] of values.entries()) {
          const made = tokens[i] ?? null;
          if (value === null || bad.includes(i)) {
            expect(made).toBeNull();
            continue;
          }
          const { iv, seconds } = twinParts(made as string);
          expect(made === twinEncrypt(firstBytes, Buffer.from(value), seconds, iv)).toBe(true);
          expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(10);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('is decrypted to what the single calls give, token by token, whatever stands beside it', () => {
    fc.assert(
      fc.property(fc.array(token, { maxLength: 30 }), hashing, (tokens, how) => {
        expect(decryptMany(keys, tokens, how)).toEqual(oneByOne(tokens, (one) => multi.decrypt(one)));
      }),
      { numRuns: 500 },
    );
  });

  it('is rotated as the single calls do it: under the first key, the time kept, the IV drawn anew', () => {
    fc.assert(
      fc.property(fc.array(token, { maxLength: 30 }), hashing, (tokens, how) => {
        const rotated = rotateMany(keys, tokens, how);
        const singly = oneByOne(tokens, (one) => multi.rotate(one));
        expect(rotated.failures).toEqual(singly.failures);
        for (const [i, made] of rotated.values.entries()) {
          expect(made === null).toBe(singly.values[i] === null);
          if (made === null) continue;
          const [before, after] = [twinParts(tokens[i] as string), twinParts(made)];
          const plaintext = multi.decryptBytes(tokens[i] as string);
          expect(after.seconds).toBe(before.seconds);
          expect(after.iv.equals(before.iv)).toBe(false);
          expect(made === twinEncrypt(firstBytes, plaintext, before.seconds, after.iv)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is renewed as it is rotated, but that tokens under the first key stay the texts that they are', () => {
    fc.assert(
      fc.property(fc.array(token, { maxLength: 30 }), hashing, (tokens, how) => {
        const renewed = renewMany(keys, tokens, how);
        const rotated = rotateMany(keys, tokens, how);
        expect(renewed.failures).toEqual(rotated.failures);
        for (const [i, made] of renewed.values.entries()) {
          expect(made === null).toBe(rotated.values[i] === null);
          if (made === null) continue;
          expect(made === tokens[i]).toBe(isUnderFirst(tokens[i] as string));
          const [before, after] = [twinParts(tokens[i] as string), twinParts(made)];
          expect(after.seconds).toBe(before.seconds);
          const plaintext = multi.decryptBytes(tokens[i] as string);
          expect(made === twinEncrypt(firstBytes, plaintext, before.seconds, after.iv)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is known by the key of each token that is a text', () => {
    fc.assert(
      fc.property(fc.array(token, { maxLength: 30 }), hashing, (tokens, how) => {
        const decrypted = decryptMany(keys, tokens, how);
        const { values, failures } = findTextKeys(keys, tokens, how);
        expect(failures).toEqual(decrypted.failures);
        for (const [i, keyIndex] of values.entries()) {
          if (keyIndex === null) expect(decrypted.values[i]).toBeNull();
          else expect(fernets[keyIndex]?.decrypt(tokens[i] as string)).toBe(decrypted.values[i]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('whose texts are UTF-8 only when they are put together is none of texts', () => {
    const [start, end] = [Buffer.of(0x41, 0xc3), Buffer.of(0xa9, 0x41)];
    const tokens = Array.from({ length: 20 }, (_, i) => multi.encrypt(i % 2 ? end : start));
    const failures = tokens.map((_, index) => ({ index, code: 'ERR_VALUE_NOT_TEXT' }));
    expect(findTextKeys(keys, tokens)).toEqual({ values: tokens.map(() => null), failures });
  });

  it('of tokens that several keys have signed is under the first of these, whichever its first token shows', () => {
    // The second key signs as the first does, and encrypts as another.
    const alike = Buffer.concat([firstBytes.subarray(0, 16), Buffer.alloc(16, 77)]);
    const bytes = [keyBytes[1] as Buffer, firstBytes, alike];
    const [ring, of] = [bytes.map((one) => new FernetKey(one)), bytes.map((one) => new Fernet(one))];
    const all = new MultiFernet(of);
    for (const order of [
      [0, 1, 2],
      [1, 0, 2],
      [2, 1, 0],
    ]) {
      const tokens = Array.from({ length: 60 }, (_, i) => (of[order[i % 3] as number] as Fernet).encrypt(`value ${i}`));
      expect(decryptMany(ring, tokens)).toEqual(oneByOne(tokens, (one) => all.decrypt(one)));
    }
  });

  it('keeps its order over many chunks, of values of every length', () => {
    const values = Array.from({ length: 6000 }, (_, i) => (i % 50 === 7 ? null : `${i}.`.repeat(i % 97)));
    const { values: tokens, failures } = encryptMany(first, values);
    expect(failures).toEqual([]);
    expect(decryptMany(keys, tokens)).toEqual({ values, failures: [] });
    const rotated = rotateMany([keys[1], first] as FernetKey[], tokens);
    expect(decryptMany([keys[1] as FernetKey], rotated.values)).toEqual({ values, failures: [] });
    expect(new Set(tokens.flatMap((made) => (made ? [made.slice(0, 34)] : []))).size).toBe(5880);
    for (const i of [0, 1, 96, 5999]) {
      expect(twinDecrypt(firstBytes, tokens[i] as string)?.toString()).toBe(values[i]);
    }
  });

  it('hashed by node:crypto alone is the same', () => {
    const values = Array.from({ length: 1000 }, (_, i) => 'x'.repeat(i % 300));
    const native = encryptMany(first, values, 'native').values;
    expect(decryptMany(keys, native, 'lanes')).toEqual({ values, failures: [] });
    const lanes = encryptMany(first, values, 'lanes').values;
    expect(decryptMany(keys, lanes, 'native')).toEqual({ values, failures: [] });
    expect(decryptMany(keys, rotateMany(keys, lanes, 'native').values)).toEqual({ values, failures: [] });
  });

  it('of none is none', () => {
    for (const work of [() => encryptMany(first, []), () => decryptMany(keys, []), () => rotateMany(keys, [])]) {
      expect(work()).toEqual({ values: [], failures: [] });
    }
    expect(decryptMany([], [fernets[0]?.encrypt('x') ?? ''])).toEqual({
      values: [null],
      failures: [{ index: 0, code: 'ERR_DECRYPT_FAILED' }],
    });
    expect(() => rotateMany([], [])).toThrow(new TypeError('rotateMany needs at least one key'));
  });

  it('reports what is no text at its place', () => {
    const values = ['a', 5, undefined, {}, '\ud800', 'b'] as never;
    const codes = (result: BatchResult) => result.failures.map(({ index, code }) => `${index} ${code}`);
    const types = ['1 ERR_VALUE_TYPE', '2 ERR_VALUE_TYPE', '3 ERR_VALUE_TYPE'];
    expect(codes(encryptMany(first, values))).toEqual([...types, '4 ERR_VALUE_NOT_TEXT']);
    const notTokens = ['0', '4', '5'].map((index) => `${index} ERR_DECRYPT_FAILED`);
    for (const work of [decryptMany, rotateMany]) {
      expect(codes(work(keys, values))).toEqual([...types, ...notTokens].sort());
    }
  });

  const kept = [
    ['rotated', 1, rotateMany],
    ['renewed', 1, renewMany],
    ['left as it is', 0, renewMany],
    ['looked at', 1, findTextKeys],
  ] as const;
  it.each([100, 5000, 100_000].flatMap((length) => kept.map(([what, key, work]) => ({ length, what, key, work }))))(
    'of $length bytes leaves no plaintext behind when it is $what',
    ({ length, key, work }) => {
      const made = (fernets[key] as Fernet).encrypt('x'.repeat(length));
      const { decrypt, decryptInPlace } = CbcStream.prototype;
      const seen: Buffer[] = [];
      const holdsPlaintext = (padded: Buffer) => padded.includes('x'.repeat(16));
      vi.spyOn(CbcStream.prototype, 'decrypt').mockImplementation(function (this: CbcStream, blocks) {
        const padded = decrypt.call(this, blocks);
        if (holdsPlaintext(padded)) seen.push(padded);
        return padded;
      });
      vi.spyOn(CbcStream.prototype, 'decryptInPlace').mockImplementation(function (
        this: CbcStream,
        buffer,
        start,
        end,
      ) {
        decryptInPlace.call(this, buffer, start, end);
        seen.push(buffer);
      });
      try {
        expect(work(keys, [made]).failures).toEqual([]);
      } finally {
        vi.restoreAllMocks();
      }
      expect(seen.length).toBeGreaterThan(0);
      expect(seen.filter(holdsPlaintext)).toEqual([]);
    },
  );

  it('rotates bytes that are no text', () => {
    const bytes = Buffer.from([0xff, 0, 0xfe]);
    const made = (fernets[1] as Fernet).encrypt(bytes);
    const { values } = rotateMany(keys, [made]);
    expect(fernets[0]?.decryptBytes(values[0] as string).equals(bytes)).toBe(true);
  });

  it('may begin while another is being read, and single calls too', () => {
    const tokens = encryptMany(first, ['one', 'two', 'three']).values;
    let calls = 0;
    const reentrant = <T>(values: readonly T[], then: () => void): T[] => {
      const copy = [...values];
      for (const [i, value] of values.entries()) {
        Object.defineProperty(copy, i, {
          get() {
            calls++;
            then();
            return value;
          },
        });
      }
      return copy;
    };
    const others = () => {
      expect(decryptMany(keys, tokens).values).toEqual(['one', 'two', 'three']);
      expect(multi.decrypt(rotateMany(keys, [tokens[0] as string]).values[0] as string)).toBe('one');
      expect(multi.decrypt(multi.encrypt('single'))).toBe('single');
      encryptMany(keys[2] as FernetKey, ['a', 'b']);
    };
    const again = encryptMany(first, reentrant(['vier', 'fünf'], others)).values;
    expect(decryptMany(keys, reentrant(again, others)).values).toEqual(['vier', 'fünf']);
    const rotated = rotateMany(keys, reentrant(tokens, others)).values;
    expect(decryptMany(keys, rotated).values).toEqual(['one', 'two', 'three']);
    expect(calls).toBe(7);
  });

  it('takes turns with single calls and batches of other keys without either disturbing the other', () => {
    const step = fc.record({
      key: fc.nat(2),
      values: fc.array(
        text.filter((value) => value.isWellFormed()),
        { maxLength: 8 },
      ),
      act: fc.constantFrom('many', 'single', 'rotate', 'refuse'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const made: { tokens: (string | null)[]; values: string[] }[] = [];
        for (const { key, values, act } of steps) {
          const [one, fernet] = [keys[key] as FernetKey, fernets[key] as Fernet];
          if (act === 'many') made.push({ tokens: encryptMany(one, values).values, values });
          if (act === 'single') made.push({ tokens: values.map((value) => fernet.encrypt(value)), values });
          const some = made[values.length % (made.length || 1)];
          if (act === 'rotate' && some) some.tokens = rotateMany(keys, some.tokens).values;
          if (act === 'refuse' && some) {
            const { failures } = decryptMany([new FernetKey(Buffer.alloc(32, 77))], some.tokens);
            expect(failures.length).toBe(some.values.length);
          }
        }
        for (const { tokens, values } of made) {
          expect(decryptMany(keys, tokens)).toEqual({ values, failures: [] });
          expect(tokens.map((one) => multi.decrypt(one as string))).toEqual(values);
        }
      }),
      { numRuns: 100 },
    );
  });
});
