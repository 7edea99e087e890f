/** The fast path held against its slow twin on random input. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import { MultiFernet } from '../../src/core/multi-fernet.js';
import { DECRYPT_FAILED, refusalOf } from '../refusal.js';
import { twinDecrypt, twinEncrypt, twinParts, twinSign } from './fernet-twin.js';

const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
const iv = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes));
const data = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
const seconds = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

describe('Fernet and its twin', () => {
  it('agree on every token: made again with its own IV and time, it is the same text', () => {
    fc.assert(
      fc.property(key, data, seconds, (keyBytes, plaintext, timeSeconds) => {
        const token = new Fernet(keyBytes).encrypt(plaintext, { timeSeconds });
        const parts = twinParts(token);
        expect(parts.seconds).toBe(timeSeconds);
        expect(twinEncrypt(keyBytes, plaintext, timeSeconds, parts.iv)).toBe(token);
        expect(twinDecrypt(keyBytes, token)).toEqual(plaintext);
      }),
      { numRuns: 1000 },
    );
  });

  it('agree on every text, which is its UTF-8', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 }).filter((value) => value.isWellFormed());
    fc.assert(
      fc.property(key, text, (keyBytes, plaintext) => {
        const fernet = new Fernet(keyBytes);
        const token = fernet.encrypt(plaintext);
        expect(twinDecrypt(keyBytes, token)).toEqual(Buffer.from(plaintext, 'utf8'));
        expect(fernet.decrypt(token)).toBe(plaintext);
      }),
      { numRuns: 300 },
    );
  });

  it('agree on the tokens that the twin makes', () => {
    fc.assert(
      fc.property(key, data, seconds, iv, (keyBytes, plaintext, timeSeconds, ivBytes) => {
        const fernet = new Fernet(keyBytes);
        const token = twinEncrypt(keyBytes, plaintext, timeSeconds, ivBytes);
        expect(fernet.decryptBytes(token).equals(plaintext)).toBe(true);
        expect(fernet.extractTimestamp(token)).toBe(timeSeconds);
      }),
      { numRuns: 500 },
    );
  });

  it('agree on large values, whose AES is done in pieces', () => {
    const keyBytes = Buffer.alloc(32, 4);
    const fernet = new Fernet(keyBytes);
    const multi = new MultiFernet([new Fernet(Buffer.alloc(32, 5)), fernet]);
    for (const length of [65_536, 98_100, 98_200, 98_303, 98_304, 131_072, 200_000]) {
      const plaintext = randomBytes(length);
      const token = fernet.encrypt(plaintext);
      const parts = twinParts(token);
      expect(twinEncrypt(keyBytes, plaintext, parts.seconds, parts.iv) === token).toBe(true);
      expect(fernet.decryptBytes(token).equals(plaintext)).toBe(true);
      expect(multi.decryptBytes(multi.rotate(token)).equals(plaintext)).toBe(true);
      const text = plaintext.toString('hex');
      expect(fernet.decrypt(fernet.encrypt(text)) === text).toBe(true);
      const bad = `${token.slice(0, -5)}${token.at(-5) === 'A' ? 'B' : 'A'}${token.slice(-4)}`;
      expect(refusalOf(() => fernet.decryptBytes(bad))).toEqual(DECRYPT_FAILED);
    }
  });

  it('agree on rotation, which keeps the time and draws another IV', () => {
    fc.assert(
      fc.property(key, key, data, seconds, iv, (newKey, oldKey, plaintext, timeSeconds, ivBytes) => {
        const old = twinEncrypt(oldKey, plaintext, timeSeconds, ivBytes);
        const rotated = new MultiFernet([new Fernet(newKey), new Fernet(oldKey)]).rotate(old);
        const parts = twinParts(rotated);
        expect(parts.iv).not.toEqual(ivBytes);
        expect(twinEncrypt(newKey, plaintext, timeSeconds, parts.iv)).toBe(rotated);
      }),
      { numRuns: 300 },
    );
  });

  it('agree on which signed ciphertexts are padded as PKCS #7 asks', () => {
    const blocks = fc.uint8Array({ minLength: 1, maxLength: 4 }).map((lengths) => lengths.length * 16);
    fc.assert(
      fc.property(key, iv, blocks, fc.infiniteStream(fc.nat(255)), (keyBytes, ivBytes, length, bytes) => {
        const ciphertext = Buffer.from([...bytes.take(length)]);
        const head = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 1]);
        const token = twinSign(keyBytes, Buffer.concat([head, ivBytes, ciphertext]));
        const opened = twinDecrypt(keyBytes, token);
        const decrypt = () => new Fernet(keyBytes).decryptBytes(token);
        if (opened) expect(decrypt().equals(opened)).toBe(true);
        else expect(refusalOf(decrypt)).toEqual(DECRYPT_FAILED);
      }),
      { numRuns: 1000 },
    );
  });

  it('agree on every padding byte that a last block can end in', () => {
    const keyBytes = Buffer.alloc(32, 7);
    const fernet = new Fernet(keyBytes);
    // CBC: what is XORed into the IV is XORed into the only block, whose 16 bytes of padding say 16.
    const { iv: drawn, ciphertext } = twinParts(fernet.encrypt(''));
    let opened = 0;
    for (let last = 0; last < 256; last++) {
      const changed = Buffer.from(drawn);
      changed[15] = (changed[15] as number) ^ 16 ^ last;
      const signed = Buffer.concat([Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 1]), changed, ciphertext]);
      const token = twinSign(keyBytes, signed);
      const twin = twinDecrypt(keyBytes, token);
      if (twin) {
        opened++;
        expect(fernet.decryptBytes(token).equals(twin)).toBe(true);
      } else {
        expect(refusalOf(() => fernet.decryptBytes(token))).toEqual(DECRYPT_FAILED);
      }
    }
    expect(opened).toBe(2); // …10 (all sixteen) and …01
  });
});
