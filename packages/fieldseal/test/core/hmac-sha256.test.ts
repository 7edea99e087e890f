/** The HMAC of two one-shot hashes, held against node:crypto's own. */
import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { HMAC_BLOCK_BYTES, HMAC_BYTES, HmacSha256, hmacSha256 } from '../../src/core/hmac-sha256.js';

function hmac(key: Uint8Array, message: Buffer): string {
  const buffer = Buffer.concat([Buffer.alloc(HMAC_BLOCK_BYTES, 0xaa), message, Buffer.alloc(HMAC_BYTES)]);
  const end = HMAC_BLOCK_BYTES + message.length;
  new HmacSha256(key).writeTo(buffer, end, buffer, end);
  expect(buffer.subarray(HMAC_BLOCK_BYTES, end).equals(message)).toBe(true);
  expect(buffer.subarray(0, HMAC_BLOCK_BYTES).equals(Buffer.alloc(HMAC_BLOCK_BYTES))).toBe(true);
  return buffer.toString('hex', end);
}

describe('HmacSha256', () => {
  it('is createHmac for every message of 0 to 300 bytes and random keys', () => {
    for (let length = 0; length <= 300; length++) {
      const [key, message] = [randomBytes(length % 65), randomBytes(length)];
      expect(hmac(key, message)).toBe(createHmac('sha256', key).update(message).digest('hex'));
    }
  });

  it('is createHmac for every key of 0 to 64 bytes', () => {
    for (let length = 0; length <= HMAC_BLOCK_BYTES; length++) {
      const key = randomBytes(length);
      expect(hmac(key, Buffer.from('message'))).toBe(createHmac('sha256', key).update('message').digest('hex'));
    }
  });

  it('gives the same for the same message, however often it was used in between', () => {
    const one = new HmacSha256(Buffer.alloc(16, 1));
    const buffer = Buffer.alloc(HMAC_BLOCK_BYTES + 300);
    const target = Buffer.alloc(HMAC_BYTES);
    const macOf = (length: number) => {
      one.writeTo(buffer, HMAC_BLOCK_BYTES + length, target, 0);
      return target.toString('hex');
    };
    const first = macOf(10);
    for (let length = 0; length < 300; length++) macOf(length);
    expect(macOf(10)).toBe(first);
  });

  it('leaves a whole message as it was', () => {
    for (let length = 0; length <= 300; length++) {
      const [key, message] = [randomBytes(32), randomBytes(length)];
      const before = Buffer.from(message);
      expect(new HmacSha256(key).of(message).equals(createHmac('sha256', key).update(before).digest())).toBe(true);
      expect(message.equals(before)).toBe(true);
    }
  });

  it('gives the same in hex, also for messages that are too long for the memory that short ones share', () => {
    for (const length of [0, 1, 1023, 1024, 1025, 5000]) {
      const [key, message] = [randomBytes(32), randomBytes(length)];
      const hmacOfKey = new HmacSha256(key);
      const expected = createHmac('sha256', key).update(message).digest();
      expect(hmacOfKey.hexOf(message)).toBe(expected.toString('hex'));
      expect(hmacOfKey.of(message)).toEqual(expected);
    }
  });

  it('takes no key of more than a block', () => {
    expect(() => new HmacSha256(new Uint8Array(65))).toThrow(new RangeError('an HMAC key here has at most 64 bytes'));
  });
});

describe('hmacSha256', () => {
  it('is createHmac for keys of any length', () => {
    for (const length of [0, 1, 63, 64, 65, 200]) {
      const key = randomBytes(length);
      expect(hmacSha256(key, Buffer.from('m')).toString('hex')).toBe(
        createHmac('sha256', key).update('m').digest('hex'),
      );
    }
  });
});
