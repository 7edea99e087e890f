/** Several keys: the first writes, all of them read. */
import { describe, expect, it } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import { MultiFernet } from '../../src/core/multi-fernet.js';
import { DECRYPT_FAILED, refusalOf } from '../refusal.js';

const [newest, older, oldest] = [1, 2, 3].map((byte) => new Fernet(Buffer.alloc(32, byte))) as [Fernet, Fernet, Fernet];
const multi = new MultiFernet([newest, older, oldest]);

describe('MultiFernet', () => {
  it('writes under the first key', () => {
    expect(newest.decrypt(multi.encrypt('hello'))).toBe('hello');
    expect(newest.extractTimestamp(multi.encrypt('hello', { timeSeconds: 5 }))).toBe(5n);
  });

  it('reads under all of them', () => {
    for (const fernet of [newest, older, oldest]) {
      const token = fernet.encrypt('hello', { timeSeconds: 1000 });
      expect(multi.decrypt(token)).toBe('hello');
      expect(multi.decryptBytes(token).toString()).toBe('hello');
      expect(multi.extractTimestamp(token)).toBe(1000n);
      expect(refusalOf(() => multi.decrypt(token, { ttlSeconds: 60, nowSeconds: 1061 }))).toEqual(DECRYPT_FAILED);
    }
  });

  it('rotates a token under the first key with its time, to the last second', () => {
    for (const timeSeconds of [0n, 1_234_567_890n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
      const rotated = multi.rotate(oldest.encrypt('한글', { timeSeconds }));
      expect(newest.decrypt(rotated)).toBe('한글');
      expect(newest.extractTimestamp(rotated)).toBe(timeSeconds);
    }
  });

  it('rotates a token that is under the first key already, with another IV', () => {
    const token = newest.encrypt('hello', { timeSeconds: 7 });
    const rotated = multi.rotate(token);
    expect(rotated).not.toBe(token);
    expect(newest.decrypt(rotated)).toBe('hello');
    expect(newest.extractTimestamp(rotated)).toBe(7n);
  });

  it('rotates bytes and large values as they are', () => {
    for (const bytes of [Buffer.from('ff00fe', 'hex'), Buffer.alloc(0), Buffer.alloc(1 << 20, 0xab)]) {
      expect(newest.decryptBytes(multi.rotate(older.encrypt(bytes))).equals(bytes)).toBe(true);
    }
  });

  it('refuses a token that none of its keys made', () => {
    const token = new Fernet(Buffer.alloc(32, 4)).encrypt('hello');
    for (const verb of ['decrypt', 'decryptBytes', 'rotate', 'extractTimestamp'] as const) {
      expect(refusalOf(() => multi[verb](token))).toEqual(DECRYPT_FAILED);
    }
  });

  it('reads as its own mode says, whatever the modes of its keys', () => {
    const spaced = ` ${older.encrypt('hello')}`;
    expect(new MultiFernet([newest, older], { base64: 'python' }).decrypt(spaced)).toBe('hello');
    expect(refusalOf(() => multi.decrypt(spaced))).toEqual(DECRYPT_FAILED);
  });

  it('needs a key', () => {
    expect(() => new MultiFernet([])).toThrow(new TypeError('MultiFernet needs at least one Fernet'));
  });
});
