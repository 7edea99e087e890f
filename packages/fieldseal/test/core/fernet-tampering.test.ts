/** Whatever is done to a token, it is refused, in the same words. */
import { createCipheriv } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import { DECRYPT_FAILED, refusalOf } from '../refusal.js';
import { twinEncode, twinEncrypt, twinSign } from './fernet-twin.js';

const key = Buffer.alloc(32, 9);
const MODES = ['strict', 'python'] as const;

describe.each(MODES)('in %s mode', (base64) => {
  const fernet = new Fernet(key, { base64 });

  function refuses(token: string): void {
    for (const decrypt of [
      () => fernet.decrypt(token),
      () => fernet.decryptBytes(Buffer.from(token)),
      () => fernet.extractTimestamp(token),
    ]) {
      expect(refusalOf(decrypt)).toEqual(DECRYPT_FAILED);
    }
  }

  it.each([0, 5, 15, 16, 40])('every flipped bit of a token of %i bytes is refused', (length) => {
    const bytes = Buffer.from(fernet.encrypt('x'.repeat(length)), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      refuses(twinEncode(flipped));
    }
  });

  it('every truncation of its text is refused', () => {
    const token = fernet.encrypt('hello');
    for (let length = 0; length < token.length; length++) refuses(token.slice(0, length));
  });

  it('every truncation of its bytes is refused, at both ends', () => {
    const bytes = Buffer.from(fernet.encrypt('x'.repeat(40)), 'base64url');
    for (let length = 0; length < bytes.length; length++) {
      refuses(twinEncode(bytes.subarray(0, length)));
      refuses(twinEncode(bytes.subarray(bytes.length - length)));
    }
  });

  it('bytes added at the end, or a block put in, are refused', () => {
    const bytes = Buffer.from(fernet.encrypt('hello'), 'base64url');
    refuses(twinEncode(Buffer.concat([bytes, Buffer.alloc(1)])));
    refuses(twinEncode(Buffer.concat([bytes, Buffer.alloc(16)])));
    refuses(twinEncode(Buffer.concat([bytes.subarray(0, 25), Buffer.alloc(16), bytes.subarray(25)])));
  });

  it('a token of another key is refused, be its signing half the same or its encryption half', () => {
    for (const half of [0, 16]) {
      const other = Buffer.from(key);
      other[half] = (other[half] as number) ^ 1;
      const token = new Fernet(other).encrypt('hello');
      if (half === 0) refuses(token);
      else expect(fernet.extractTimestamp(token)).toBeGreaterThan(0n);
    }
  });

  it('a signed token of another version is refused', () => {
    for (let version = 0; version < 256; version++) {
      if (version === 0x80) continue;
      const token = twinEncrypt(key, Buffer.from('hello'), 1n, Buffer.alloc(16), version);
      expect(refusalOf(() => fernet.decrypt(token))).toEqual(DECRYPT_FAILED);
    }
  });

  it('a signed ciphertext of another length than whole blocks is refused, though its blocks would open', () => {
    const whole = Buffer.from(fernet.encrypt('hello'), 'base64url').subarray(0, 41);
    for (let length = 9; length < 25; length++) {
      expect(refusalOf(() => fernet.decrypt(twinSign(key, whole.subarray(0, length))))).toEqual(DECRYPT_FAILED);
    }
    for (let more = 1; more < 16; more++) {
      const token = twinSign(key, Buffer.concat([whole, Buffer.alloc(more)]));
      expect(refusalOf(() => fernet.decrypt(token))).toEqual(DECRYPT_FAILED);
    }
  });

  it('a signed padding of n bytes n is refused for every n above 16', () => {
    for (let n = 1; n < 256; n++) {
      const cipher = createCipheriv('aes-128-cbc', key.subarray(16), Buffer.alloc(16)).setAutoPadding(false);
      const ciphertext = cipher.update(Buffer.alloc(256, n));
      const head = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 1]);
      const token = twinSign(key, Buffer.concat([head, Buffer.alloc(16), ciphertext]));
      if (n <= 16) expect(fernet.decryptBytes(token).length).toBe(256 - n);
      else expect(refusalOf(() => fernet.decrypt(token))).toEqual(DECRYPT_FAILED);
    }
  });

  it('what never was a token is refused', () => {
    for (const text of [
      '',
      ' ',
      '=',
      '====',
      'hello',
      'gAAAAA',
      '한글',
      '\0',
      '\ud800',
      'g'.repeat(100),
      'x'.repeat(1 << 20),
    ]) {
      refuses(text);
    }
  });
});
