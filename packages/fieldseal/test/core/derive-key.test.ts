/** HKDF-SHA256 against RFC 5869. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { deriveKey } from '../../src/core/derive-key.js';

it('gives test cases 1 and 3 of RFC 5869, appendix A', () => {
  const secret = Buffer.alloc(22, 0x0b);
  const salt = Buffer.from('000102030405060708090a0b0c', 'hex');
  const info = Buffer.from('f0f1f2f3f4f5f6f7f8f9', 'hex');
  const okm = '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865';
  expect(deriveKey(secret, salt, info, 42).toString('hex')).toBe(okm);
  expect(deriveKey(secret, salt.toString('latin1'), info, 42).toString('hex')).toBe(okm);
  expect(deriveKey(secret, '', '', 42).toString('hex')).toBe(
    '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  );
});

it('gives test case 2 of RFC 5869, with 80 bytes of everything', () => {
  const run = (from: number) => Buffer.from(Array.from({ length: 80 }, (_, i) => from + i));
  expect(deriveKey(run(0x00), run(0x60), run(0xb0), 82).toString('hex')).toBe(
    'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
  );
});

it('takes text as UTF-8', () => {
  const text = fc.string({ unit: 'grapheme' });
  fc.assert(
    fc.property(text, text, (salt, info) => {
      const asBytes = deriveKey(Buffer.alloc(32, 1), Buffer.from(salt, 'utf8'), Buffer.from(info, 'utf8'), 32);
      expect(deriveKey(Buffer.alloc(32, 1), salt, info, 32)).toEqual(asBytes);
    }),
  );
});

it('gives 255 hashes of bytes at most, for an info of 1024 bytes at most', () => {
  const [secret, info] = [Buffer.alloc(32), Buffer.alloc(1024)];
  expect(deriveKey(secret, 'salt', info, 8160).length).toBe(8160);
  expect(() => deriveKey(secret, 'salt', info, 8161)).toThrow(
    expect.objectContaining({ name: 'RangeError', code: 'ERR_CRYPTO_INVALID_KEYLEN' }),
  );
  expect(() => deriveKey(secret, 'salt', Buffer.alloc(1025), 32)).toThrow(
    expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }),
  );
});

it('gives memory of its own', () => {
  expect(deriveKey(Buffer.alloc(32), 'salt', 'info', 32).buffer.byteLength).toBe(32);
});
