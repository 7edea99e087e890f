/** The shared buffer behind the tokens, and their shape. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import { isFernetShaped, secondsToWords, tokenBuffer } from '../../src/core/fernet-token.js';
import { MultiFernet } from '../../src/core/multi-fernet.js';
import { DECRYPT_FAILED, refusalOf } from '../refusal.js';
import { twinEncode, twinEncrypt } from './fernet-twin.js';

describe('the shared buffer', () => {
  it('serves every token that fits, and a larger one gets its own', () => {
    expect(tokenBuffer(1)).toBe(tokenBuffer(96 * 1024 - 64));
    expect(tokenBuffer(96 * 1024 - 63)).not.toBe(tokenBuffer(1));
    expect(tokenBuffer(1 << 20).length).toBe((1 << 20) + 64);
  });

  it('holds no plaintext and no key once a call has returned', () => {
    const key = Buffer.alloc(32, 0x4b);
    const fernet = new Fernet(key);
    const multi = new MultiFernet([new Fernet(Buffer.alloc(32, 1)), fernet]);
    const marker = 'MARKER-OF-PLAINTEXT';
    const calls: ((text: string) => unknown)[] = [
      (text) => fernet.encrypt(text),
      (text) => fernet.encrypt(Buffer.from(text)),
      (text) => fernet.decrypt(fernet.encrypt(text)),
      (text) => multi.rotate(fernet.encrypt(text)),
      (text) => refusalOf(() => new Fernet(Buffer.alloc(32)).decrypt(fernet.encrypt(text))),
    ];
    const padded = Buffer.concat([Buffer.alloc(16, 0x36 ^ 0x4b), Buffer.alloc(48, 0x36)]);
    for (const call of calls) {
      for (const times of [5000, 800, 40, 1]) {
        call(marker.repeat(times));
        const scratch = tokenBuffer(1);
        expect(scratch.includes(marker)).toBe(false);
        expect(scratch.includes(padded)).toBe(false);
        expect(scratch.subarray(0, 64).every((byte) => byte === 0)).toBe(true);
      }
    }
  });

  it('is not disturbed by tokens of several keys that are made, read, rotated and refused in turn', () => {
    const fernets = [1, 2, 3].map((byte) => new Fernet(Buffer.alloc(32, byte)));
    const [first] = fernets as [Fernet];
    const multi = new MultiFernet(fernets);
    const step = fc.record({
      key: fc.nat(2),
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 80 }),
        fc.nat(40_000).map((length) => new Uint8Array(length)),
      ),
      seconds: fc.integer({ min: 0, max: 2 ** 40 }),
      act: fc.constantFrom('make', 'read', 'rotate', 'refuse', 'time'),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 30 }), (steps) => {
        const made: { key: number; token: string; bytes: Uint8Array; seconds: number }[] = [];
        const check = ({ token, bytes, seconds }: (typeof made)[number]) => {
          expect(multi.decryptBytes(token).equals(bytes)).toBe(true);
          expect(multi.extractTimestamp(token)).toBe(BigInt(seconds));
        };
        for (const { key, bytes, seconds, act } of steps) {
          const some = made[seconds % (made.length || 1)];
          if (act === 'make' || !some) {
            made.push({
              key,
              bytes,
              seconds,
              token: (fernets[key] as Fernet).encrypt(bytes, { timeSeconds: seconds }),
            });
          } else if (act === 'rotate') {
            made.push({ ...some, key: 0, token: multi.rotate(some.token) });
            expect(first.decryptBytes((made.at(-1) as typeof some).token).equals(some.bytes)).toBe(true);
          } else if (act === 'refuse') {
            const other = fernets[(some.key + 1) % 3] as Fernet;
            expect(refusalOf(() => other.decryptBytes(some.token))).toEqual(DECRYPT_FAILED);
          } else check(some);
        }
        for (const token of made) check(token);
      }),
      { numRuns: 200 },
    );
  });

  it('never shows through decrypted bytes, which are memory of their own', () => {
    const fernet = new Fernet(Fernet.generateKey());
    const one = fernet.decryptBytes(fernet.encrypt('first'));
    const two = fernet.decryptBytes(fernet.encrypt('second'));
    fernet.encrypt('third');
    expect(one.toString()).toBe('first');
    expect(two.toString()).toBe('second');
    expect(one.buffer).not.toBe(tokenBuffer(1).buffer);
  });
});

describe('the shape of a token', () => {
  const key = Buffer.alloc(32, 5);
  const tokenAt = (seconds: bigint) => twinEncrypt(key, Buffer.from('hello'), seconds, Buffer.alloc(16, 6));

  it('is that of every token made before 2106', () => {
    for (const seconds of [0n, 1n, 1_700_000_000n, 2n ** 32n - 1n]) expect(isFernetShaped(tokenAt(seconds))).toBe(true);
    for (const seconds of [2n ** 32n, 2n ** 64n - 1n]) expect(isFernetShaped(tokenAt(seconds))).toBe(false);
  });

  it('needs canonical base64url, the version and a legal length, and no key', () => {
    const token = tokenAt(1n);
    expect(isFernetShaped(new Fernet(Fernet.generateKey()).encrypt(''))).toBe(true);
    const bytes = Buffer.from(token, 'base64url');
    for (let length = 0; length < bytes.length; length++) {
      expect(isFernetShaped(twinEncode(bytes.subarray(0, length)))).toBe(false);
    }
    for (const text of [`${token}\n`, ` ${token}`, token.replace('==', ''), `${token}=`, 'gAAAAA', '', 'hello']) {
      expect(isFernetShaped(text)).toBe(false);
    }
    bytes[0] = 0x81;
    expect(isFernetShaped(twinEncode(bytes))).toBe(false);
  });
});

describe('seconds as two words', () => {
  it('are the same number, given as number or bigint', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (seconds) => {
        const { high, low } = secondsToWords(seconds);
        expect((BigInt(high) << 32n) | BigInt(low)).toBe(seconds);
        if (seconds < 2n ** 53n) expect(secondsToWords(Number(seconds))).toEqual({ high, low });
      }),
    );
  });
});
