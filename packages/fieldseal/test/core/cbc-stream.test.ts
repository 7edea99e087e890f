/** The two long-lived ciphers, held against a fresh cipher for every value. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CbcStream } from '../../src/core/cbc-stream.js';

const key = Buffer.alloc(16, 3);
const values = fc.array(
  fc.nat(6).map((blocks) => randomBytes(16 * blocks)),
  { minLength: 1, maxLength: 12 },
);

/** What stands in a stream's input for each value, and what comes out for it. */
function encryptAll(stream: CbcStream, plaintexts: readonly Buffer[]): { iv: Buffer; ciphertext: Buffer }[] {
  const out = stream.encrypt(Buffer.concat(plaintexts.flatMap((plaintext) => [randomBytes(16), plaintext])));
  let at = 0;
  return plaintexts.map(({ length }) => {
    const token = { iv: out.subarray(at, at + 16), ciphertext: out.subarray(at + 16, at + 16 + length) };
    at += 16 + length;
    return token;
  });
}

describe('CbcStream', () => {
  it('makes of every value what a fresh cipher makes under the IV that came out, however the values are cut into calls', () => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 5 }), (calls) => {
        const stream = new CbcStream(key);
        for (const plaintexts of calls) {
          for (const [i, { iv, ciphertext }] of encryptAll(stream, plaintexts).entries()) {
            const twin = createCipheriv('aes-128-cbc', key, iv).setAutoPadding(false);
            expect(ciphertext.equals(twin.update(plaintexts[i] as Buffer))).toBe(true);
          }
        }
      }),
    );
  });

  it('decrypts any number of tokens in a call, but for the block in the place of each IV', () => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 5 }), (calls) => {
        const stream = new CbcStream(key);
        for (const ciphertexts of calls) {
          const ivs = ciphertexts.map(() => randomBytes(16));
          const out = stream.decrypt(Buffer.concat(ciphertexts.flatMap((text, i) => [ivs[i] as Buffer, text])));
          let at = 0;
          for (const [i, ciphertext] of ciphertexts.entries()) {
            const twin = createDecipheriv('aes-128-cbc', key, ivs[i] as Buffer).setAutoPadding(false);
            expect(out.subarray(at + 16, at + 16 + ciphertext.length).equals(twin.update(ciphertext))).toBe(true);
            at += 16 + ciphertext.length;
          }
        }
      }),
    );
  });

  it('never makes the same IV twice, of the same plaintext too', () => {
    const stream = new CbcStream(key);
    const plaintext = Buffer.alloc(16);
    const ivs = Array.from({ length: 2000 }, () => encryptAll(stream, [plaintext, plaintext])).flat();
    expect(new Set(ivs.map(({ iv }) => iv.toString('hex'))).size).toBe(4000);
    expect(new Set(ivs.map(({ ciphertext }) => ciphertext.toString('hex'))).size).toBe(4000);
  });

  it('makes IVs whose bits are set in half of the cases', () => {
    const stream = new CbcStream(key);
    const counts = new Array<number>(128).fill(0);
    const rounds = 40;
    for (let round = 0; round < rounds; round++) {
      for (const { iv } of encryptAll(stream, new Array(250).fill(Buffer.alloc(16)))) {
        for (let bit = 0; bit < 128; bit++) {
          counts[bit] = (counts[bit] as number) + (((iv[bit >> 3] as number) >> (bit & 7)) & 1);
        }
      }
    }
    // 5000 expected, standard deviation 50: ten of them do not happen.
    for (const count of counts) expect(Math.abs(count - 125 * rounds)).toBeLessThan(500);
  });

  it('takes whole blocks only, and goes on after a refusal', () => {
    const stream = new CbcStream(key);
    for (const direction of ['encrypt', 'decrypt'] as const) {
      stream[direction](Buffer.alloc(32));
      for (const length of [1, 15, 17]) {
        expect(() => stream[direction](Buffer.alloc(length))).toThrow(
          new RangeError('CBC takes whole blocks of 16 bytes'),
        );
      }
      expect(() => stream[direction](null as never)).toThrow(TypeError);
    }
    const [token] = encryptAll(stream, [Buffer.from('sixteen bytes ok')]) as [{ iv: Buffer; ciphertext: Buffer }];
    const opened = stream.decrypt(Buffer.concat([token.iv, token.ciphertext]));
    expect(opened.subarray(16).toString()).toBe('sixteen bytes ok');
  });

  it('gives every call memory of its own', () => {
    const stream = new CbcStream(key);
    const first = stream.encrypt(Buffer.alloc(32));
    const kept = Buffer.from(first);
    stream.encrypt(Buffer.alloc(32));
    expect(first.equals(kept)).toBe(true);
  });

  it('does the same in place, piece by piece, and leaves what is around it as it was', () => {
    for (const blocks of [2, 4095, 4096, 4097, 9000]) {
      const stream = new CbcStream(key);
      const [random, plaintext] = [randomBytes(16), randomBytes(16 * blocks)];
      const whole = Buffer.concat([Buffer.alloc(7, 1), random, plaintext, Buffer.alloc(9, 2)]);
      const end = 7 + 16 + plaintext.length;
      stream.encryptInPlace(whole, 7, end);
      const twin = createCipheriv('aes-128-cbc', key, whole.subarray(7, 23)).setAutoPadding(false);
      expect(whole.subarray(23, end).equals(twin.update(plaintext))).toBe(true);
      expect(whole.subarray(7, 23).equals(random)).toBe(false);
      stream.decryptInPlace(whole, 7, end);
      expect(whole.subarray(23, end).equals(plaintext)).toBe(true);
      expect(whole.subarray(0, 7).equals(Buffer.alloc(7, 1))).toBe(true);
      expect(whole.subarray(end).equals(Buffer.alloc(9, 2))).toBe(true);
    }
  });

  it('takes keys of 16 bytes only', () => {
    for (const length of [0, 15, 17, 32]) {
      expect(() => new CbcStream(new Uint8Array(length))).toThrow(new RangeError('an AES-128 key has 16 bytes'));
    }
  });
});
