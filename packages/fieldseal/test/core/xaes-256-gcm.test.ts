/** XAES-256-GCM against the vectors of its specification, and against a readable twin. */
import { createCipheriv, createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Xaes256Gcm } from '../../src/core/xaes-256-gcm.js';
import { readVectors } from '../read-vectors.js';
import { DECRYPT_FAILED, refusalOf } from '../refusal.js';

interface XaesVectors {
  readonly vectors: {
    key: string;
    nonce_ascii: string;
    K1: string;
    Kx: string;
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

/** The specification's accumulated hash: of the ciphertexts of so many random inputs, each opened again. */
function accumulate(iterations: number): string {
  // An input takes 56 + 2 × (1 + 127.5) bytes on average, and the stream is the same for everybody.
  const read = shakeStream(iterations * 320);
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
  return ciphertexts.digest('hex');
}

/** AES-256 of one block, as a number. */
function twinAes(key: Uint8Array, block: bigint): bigint {
  const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  return BigInt(`0x${cipher.update(block.toString(16).padStart(32, '0'), 'hex', 'hex')}`);
}

/** The two subkeys of CMAC (NIST SP 800-38B §6.1): doublings in GF(2^128). */
function twinSubkeys(key: Uint8Array): { k1: bigint; k2: bigint } {
  const double = (x: bigint) => BigInt.asUintN(128, x << 1n) ^ (x >> 127n === 1n ? 0x87n : 0n);
  const k1 = double(twinAes(key, 0n));
  return { k1, k2: double(k1) };
}

/** CMAC of a message of any length (NIST SP 800-38B §6.2). */
function twinCmac(key: Uint8Array, message: Buffer): string {
  const { k1, k2 } = twinSubkeys(key);
  const isWhole = message.length > 0 && message.length % 16 === 0;
  const padded = isWhole
    ? message
    : Buffer.concat([message, Buffer.from([0x80]), Buffer.alloc(15 - (message.length % 16))]);
  const blocks = Array.from({ length: padded.length / 16 }, (_, i) =>
    BigInt(`0x${padded.toString('hex', i * 16, i * 16 + 16)}`),
  );
  const last = (blocks.pop() as bigint) ^ (isWhole ? k1 : k2);
  const chained = [...blocks, last].reduce((state, block) => twinAes(key, state ^ block), 0n);
  return chained.toString(16).padStart(32, '0');
}

/** The KDF in counter mode (NIST SP 800-108r1 §4.1) over CMAC: counter u16be ‖ label "X" ‖ 0x00 ‖ context N[:12]. */
function twinDerive(key: Uint8Array, nonce: Uint8Array): Buffer {
  const input = (counter: number) =>
    Buffer.concat([Buffer.from([0, counter]), Buffer.from('X\0'), nonce.subarray(0, 12)]);
  return Buffer.from(twinCmac(key, input(1)) + twinCmac(key, input(2)), 'hex');
}

function twinSeal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', twinDerive(key, nonce), nonce.subarray(12)).setAAD(aad);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
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
    expect(accumulate(10_000)).toBe(accumulated['10000']);
  });

  it.skipIf(process.env['FIELDSEAL_SLOW'] !== '1')(
    'gives the accumulated vector of 1,000,000 random inputs (FIELDSEAL_SLOW=1)',
    { timeout: 1_800_000 },
    () => {
      expect(accumulate(1_000_000)).toBe(accumulated['1000000']);
    },
  );

  it('has a twin that derives the keys of the specification', () => {
    for (const { key, nonce_ascii, K1, Kx } of vectors) {
      const keyBytes = Buffer.from(key, 'hex');
      expect(twinSubkeys(keyBytes).k1.toString(16).padStart(32, '0')).toBe(K1);
      expect(twinDerive(keyBytes, Buffer.from(nonce_ascii)).toString('hex')).toBe(Kx);
    }
  });

  it('is its twin for any key, nonce, plaintext and associated data', () => {
    const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });
    fc.assert(
      fc.property(bytes(32), bytes(24), bytes(0, 300), bytes(0, 300), (key, nonce, plaintext, aad) => {
        const xaes = new Xaes256Gcm(key);
        const sealed = twinSeal(key, nonce, plaintext, aad);
        expect(xaes.seal(nonce, plaintext, aad).equals(sealed)).toBe(true);
        expect(xaes.open(nonce, sealed, aad).equals(plaintext)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('writes into a given place what sealing returns, of several keys in turn and of text as its UTF-8', () => {
    const keys = [1, 2, 3].map((byte) => Buffer.alloc(32, byte));
    const ciphers = keys.map((key) => new Xaes256Gcm(key));
    const aad = Buffer.from('associated data');
    fc.assert(
      fc.property(fc.nat(2), fc.uint8Array({ minLength: 24, maxLength: 24 }), fc.string(), (i, nonce, text) => {
        const plaintext = Buffer.from(text);
        const target = Buffer.alloc(plaintext.length + 30, 7);
        (ciphers[i] as Xaes256Gcm).writeSealed(target, 9, nonce, text, aad);
        const sealed = twinSeal(keys[i] as Buffer, nonce, plaintext, aad);
        expect(target.equals(Buffer.concat([Buffer.alloc(9, 7), sealed, Buffer.alloc(5, 7)]))).toBe(true);
      }),
      { numRuns: 300 },
    );
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
