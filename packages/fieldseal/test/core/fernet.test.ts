/** What Fernet takes, gives back and refuses. */
import { describe, expect, it } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import { Secret } from '../../src/core/secret.js';
import { DECRYPT_FAILED, refusalOf } from '../refusal.js';
import { twinParts } from './fernet-twin.js';

const fernet = new Fernet(Fernet.generateKey());
const NOT_TEXT = 'ERR_VALUE_NOT_TEXT';

describe('values', () => {
  it.each([
    ['the empty string', ''],
    ['a NUL', '\0'],
    ['a byte order mark', '\ufeffhello'],
    ['an emoji of several code points', '👩‍👩‍👧‍👦'],
    ['a replacement character', 'a\ufffdb'],
    ['a byte order mark before a replacement character', '\ufeff\ufffd'],
    ['Korean', '주민등록번호 900101-1234567'],
    [
      'text that looks like a token',
      'gAAAAAAAAAPoAAECAwQFBgcICQoLDA0OD4_9EBVfNSDZ7XtRxaHNdkVdXYTYL1AUNv1Qx9AAcN3czw==',
    ],
  ])('%s comes back the same', (_name, text) => {
    expect(fernet.decrypt(fernet.encrypt(text))).toBe(text);
    expect(fernet.decryptBytes(fernet.encrypt(text)).toString('utf8')).toBe(text);
  });

  it('bytes come back the same, whatever they are', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(new Uint8Array(fernet.decryptBytes(fernet.encrypt(bytes)))).toEqual(bytes);
    const view = new Uint8Array(bytes.buffer, 100, 30);
    expect(new Uint8Array(fernet.decryptBytes(fernet.encrypt(view)))).toEqual(view.slice());
    expect(fernet.decryptBytes(fernet.encrypt(new Uint8Array())).length).toBe(0);
  });

  it.each([2047, 2048, 2049, 5000, 16_220, 16_384, 20_000, 98_200, 98_304, 1 << 20])(
    'texts of %i units come back the same',
    (length) => {
      for (const unit of ['x', 'é', '한', '😀']) {
        const text = unit.repeat(Math.ceil(length / unit.length)).slice(0, length - (length % unit.length));
        expect(fernet.decrypt(fernet.encrypt(text)) === text).toBe(true);
      }
    },
  );

  it('every length around the 96 KiB of the shared buffer comes back the same', () => {
    for (let length = 96 * 1024 - 160; length <= 96 * 1024 + 16; length++) {
      const bytes = Buffer.alloc(length, length);
      expect(fernet.decryptBytes(fernet.encrypt(bytes)).equals(bytes)).toBe(true);
      const text = bytes.toString('latin1').replaceAll(/[^a-z]/g, 'x');
      expect(fernet.decrypt(fernet.encrypt(text)) === text).toBe(true);
    }
  });

  it('a lone surrogate is refused, since UTF-8 cannot hold it', () => {
    for (const text of ['\ud800', 'a\udc00b', '\udc00\ud800']) {
      expect(refusalOf(() => fernet.encrypt(text))).toEqual({
        code: NOT_TEXT,
        message: 'The text has a lone surrogate, which cannot be stored as UTF-8.',
      });
    }
  });

  it('bytes that are not UTF-8 are not given back as text, only as bytes', () => {
    for (const hex of ['ff', 'c080', 'eda080', 'f4908080', 'e382', '61ff62']) {
      const token = fernet.encrypt(Buffer.from(hex, 'hex'));
      expect(refusalOf(() => fernet.decrypt(token))).toEqual({
        code: NOT_TEXT,
        message: 'The decrypted bytes are not UTF-8; read them as bytes.',
      });
      expect(fernet.decryptBytes(token).toString('hex')).toBe(hex);
    }
  });

  it('anything else is a mistake of the caller', () => {
    for (const value of [5, null, undefined, {}, [1]]) {
      expect(() => fernet.encrypt(value as string)).toThrow(new TypeError('encrypt takes a string or a Uint8Array'));
    }
  });

  it('a token is read as text or as its ASCII bytes', () => {
    const token = fernet.encrypt('hello');
    expect(fernet.decrypt(Buffer.from(token))).toBe('hello');
    expect(fernet.extractTimestamp(new TextEncoder().encode(token))).toBe(fernet.extractTimestamp(token));
  });

  it('no two tokens of one value are the same', () => {
    expect(new Set(Array.from({ length: 1000 }, () => fernet.encrypt('hello'))).size).toBe(1000);
  });

  it('in strict mode no text but the canonical one of a token opens', () => {
    const token = fernet.encrypt('hello');
    for (let at = 0; at < token.length; at++) {
      for (let bit = 0; bit < 7; bit++) {
        const code = token.charCodeAt(at) ^ (1 << bit);
        const changed = token.slice(0, at) + String.fromCharCode(code) + token.slice(at + 1);
        expect(refusalOf(() => fernet.decrypt(changed))).toEqual(DECRYPT_FAILED);
      }
    }
  });
});

describe('times', () => {
  const OUT_OF_RANGE = new RangeError('a time is a whole number of seconds from 0 to 2^64-1 (a bigint above 2^53-1)');

  it.each([0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 0n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])(
    '%s stands in the token as it is',
    (timeSeconds) => {
      const token = fernet.encrypt('hello', { timeSeconds });
      expect(twinParts(token).seconds).toBe(BigInt(timeSeconds));
      expect(fernet.extractTimestamp(token)).toBe(BigInt(timeSeconds));
      expect(fernet.decrypt(token)).toBe('hello');
    },
  );

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -1n, 2n ** 64n])(
    '%s is out of range',
    (timeSeconds) => {
      expect(() => fernet.encrypt('hello', { timeSeconds })).toThrow(OUT_OF_RANGE);
    },
  );

  it('the time of a new token is now', () => {
    const before = Math.floor(Date.now() / 1000);
    const seconds = Number(fernet.extractTimestamp(fernet.encrypt('hello')));
    expect(seconds).toBeGreaterThanOrEqual(before);
    expect(seconds).toBeLessThanOrEqual(Math.floor(Date.now() / 1000));
  });

  it('is looked at only when a TTL is given', () => {
    const token = fernet.encrypt('hello', { timeSeconds: 2n ** 64n - 1n });
    expect(fernet.decrypt(token)).toBe('hello');
    expect(fernet.decrypt(token, { nowSeconds: 0 })).toBe('hello');
    expect(refusalOf(() => fernet.decrypt(token, { ttlSeconds: 60 }))).toEqual(DECRYPT_FAILED);
    expect(refusalOf(() => fernet.decryptBytes(token, { ttlSeconds: 60 }))).toEqual(DECRYPT_FAILED);
  });

  it('judges by now when a TTL is given alone', () => {
    expect(fernet.decrypt(fernet.encrypt('hello'), { ttlSeconds: 60 })).toBe('hello');
    const old = fernet.encrypt('hello', { timeSeconds: Math.floor(Date.now() / 1000) - 100 });
    expect(refusalOf(() => fernet.decrypt(old, { ttlSeconds: 60 }))).toEqual(DECRYPT_FAILED);
  });

  it('is judged right when the options themselves decrypt while they are read', () => {
    const [old, other] = [fernet.encrypt('old', { timeSeconds: 1000 }), fernet.encrypt('other')];
    const afterOther = (seconds: bigint) => ({
      valueOf() {
        expect(fernet.decrypt(other)).toBe('other');
        return seconds;
      },
    });
    const reentrant = {
      get ttlSeconds() {
        expect(fernet.decrypt(other)).toBe('other');
        return afterOther(60n) as never;
      },
      nowSeconds: afterOther(1010n) as never,
    };
    expect(fernet.decrypt(old, reentrant)).toBe('old');
    expect(fernet.decryptBytes(old, reentrant).toString()).toBe('old');
    expect(refusalOf(() => fernet.decrypt(other, reentrant))).toEqual(DECRYPT_FAILED);
  });

  it('of a forged token is not told', () => {
    const token = new Fernet(Fernet.generateKey()).encrypt('hello');
    expect(refusalOf(() => fernet.extractTimestamp(token))).toEqual(DECRYPT_FAILED);
  });
});

describe('keys', () => {
  it('are taken as text, as bytes and as a Secret', () => {
    const text = Fernet.generateKey();
    const bytes = Buffer.from(text, 'base64url');
    const token = new Fernet(text).encrypt('hello');
    expect(new Fernet(bytes).decrypt(token)).toBe('hello');
    expect(new Fernet(Secret.from(bytes)).decrypt(token)).toBe('hello');
  });

  it('are copied: erasing the bytes they came from changes nothing', () => {
    const bytes = Buffer.alloc(32, 3);
    const secret = Secret.from(bytes);
    const [one, two] = [new Fernet(bytes), new Fernet(secret)];
    const token = one.encrypt('hello');
    bytes.fill(0);
    secret.dispose();
    expect(one.decrypt(token)).toBe('hello');
    expect(two.decrypt(token)).toBe('hello');
  });

  it('made here have 44 characters and are never the same', () => {
    const keys = Array.from({ length: 100 }, () => Fernet.generateKey());
    for (const key of keys) expect(key).toMatch(/^[\w-]{43}=$/);
    expect(new Set(keys).size).toBe(100);
  });

  it('of another length are refused, without being repeated', () => {
    for (const key of [new Uint8Array(31), new Uint8Array(33), Secret.random(16), 5 as never, null as never]) {
      expect(refusalOf(() => new Fernet(key))).toEqual({
        code: 'ERR_KEY_MALFORMED',
        message: 'A Fernet key has 32 bytes.',
      });
    }
    const text = 'lKhZdE6G-6Q8vX2J_p9L_8mK_5nP_7qR_3sT_1uV_9wX_0yZ_2aB_4cD_6eF';
    expect(refusalOf(() => new Fernet(text))).toEqual({
      code: 'ERR_KEY_MALFORMED',
      message:
        'A Fernet key is 32 bytes in base64url, 44 characters with the padding; make one with `fieldseal keygen`.',
    });
  });
});
