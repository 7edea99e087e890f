/** XAES-256-GCM against the vectors of its specification. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Xaes256Gcm } from '../../src/core/xaes-256-gcm.js';
import { readVectors } from '../read-vectors.js';
import { DECRYPT_FAILED, refusalOf } from '../refusal.js';

interface XaesVectors {
  readonly vectors: {
    key: string;
    nonce_ascii: string;
    plaintext_ascii: string;
    aad_ascii: string;
    ciphertext: string;
  }[];
  readonly accumulated: Record<string, string>;
}

const { vectors, accumulated } = readVectors<XaesVectors>('xaes-256-gcm.json');

/** Reads a SHAKE-128 stream of empty input: an output of any length is a prefix of every longer one. */
function shakeStream(maxBytes: number): (length: number) => Buffer {
  const stream = createHash('shake128', { outputLength: maxBytes }).digest();
  let position = 0;
  return (length) => {
    position += length;
    if (position > maxBytes) throw new RangeError('the stream was made too short');
    return stream.subarray(position - length, position);
  };
}

describe('XAES-256-GCM', () => {
  it('gives the vectors of c2sp.org/XAES-256-GCM (one for each top bit of L)', () => {
    expect(vectors.length).toBe(2);
    for (const vector of vectors) {
      const xaes = new Xaes256Gcm(Buffer.from(vector.key, 'hex'));
      const nonce = Buffer.from(vector.nonce_ascii);
      const aad = Buffer.from(vector.aad_ascii);
      const sealed = xaes.seal(nonce, Buffer.from(vector.plaintext_ascii), aad);
      expect(sealed.toString('hex')).toBe(vector.ciphertext);
      expect(xaes.open(nonce, sealed, aad).toString()).toBe(vector.plaintext_ascii);
    }
  });

  it('gives the accumulated vector of 10,000 random inputs', () => {
    const iterations = 10_000;
    const read = shakeStream(iterations * (32 + 24 + 256 + 256));
    const ciphertexts = createHash('shake128', { outputLength: 32 });
    for (let i = 0; i < iterations; i++) {
      const [key, nonce] = [read(32), read(24)];
      const plaintext = read(read(1)[0] as number);
      const aad = read(read(1)[0] as number);
      const xaes = new Xaes256Gcm(key);
      const sealed = xaes.seal(nonce, plaintext, aad);
      if (!xaes.open(nonce, sealed, aad).equals(plaintext)) throw new Error(`iteration ${i} did not open`);
      ciphertexts.update(sealed);
    }
    expect(ciphertexts.digest('hex')).toBe(accumulated[iterations]);
  });

  describe('refuses', () => {
    const xaes = new Xaes256Gcm(Buffer.alloc(32, 1));
    const nonce = Buffer.alloc(24, 2);
    const aad = Buffer.from('associated data');
    const sealed = xaes.seal(nonce, Buffer.from('hello'), aad);
    const flip = (bytes: Buffer, bit: number) => {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      return flipped;
    };
    const everyBit = (bytes: Buffer) => Array.from({ length: bytes.length * 8 }, (_, bit) => flip(bytes, bit));

    it('every flipped bit of ciphertext, tag, nonce and associated data', () => {
      for (const other of everyBit(sealed))
        expect(refusalOf(() => xaes.open(nonce, other, aad))).toEqual(DECRYPT_FAILED);
      for (const other of everyBit(nonce))
        expect(refusalOf(() => xaes.open(other, sealed, aad))).toEqual(DECRYPT_FAILED);
      for (const other of everyBit(aad))
        expect(refusalOf(() => xaes.open(nonce, sealed, other))).toEqual(DECRYPT_FAILED);
    });

    it('every truncation, which can never shorten the tag', () => {
      for (let length = 0; length < sealed.length; length++) {
        expect(refusalOf(() => xaes.open(nonce, sealed.subarray(0, length), aad))).toEqual(DECRYPT_FAILED);
      }
    });

    it('a nonce of another length', () => {
      for (const length of [0, 12, 23, 25]) {
        expect(refusalOf(() => xaes.open(Buffer.alloc(length), sealed, aad))).toEqual(DECRYPT_FAILED);
        expect(() => xaes.seal(Buffer.alloc(length), sealed, aad)).toThrow(
          new RangeError('an XAES-256-GCM nonce has 24 bytes'),
        );
      }
    });

    it('another key, and a key of another length', () => {
      for (const other of everyBit(Buffer.alloc(32, 1))) {
        expect(refusalOf(() => new Xaes256Gcm(other).open(nonce, sealed, aad))).toEqual(DECRYPT_FAILED);
      }
      for (const length of [0, 16, 31, 33]) {
        expect(() => new Xaes256Gcm(Buffer.alloc(length))).toThrow(new RangeError('an XAES-256-GCM key has 32 bytes'));
      }
    });
  });
});
