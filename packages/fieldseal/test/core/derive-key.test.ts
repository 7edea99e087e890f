/** HKDF-SHA256 against RFC 5869. */
import { expect, it } from 'vitest';
import { deriveKey } from '../../src/core/derive-key.js';

it('gives test cases 1 and 3 of RFC 5869, appendix A', () => {
  const secret = Buffer.alloc(22, 0x0b);
  const salt = Buffer.from('000102030405060708090a0b0c', 'hex').toString('latin1');
  const info = Buffer.from('f0f1f2f3f4f5f6f7f8f9', 'hex');
  expect(deriveKey(secret, salt, info, 42).toString('hex')).toBe(
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  );
  expect(deriveKey(secret, '', '', 42).toString('hex')).toBe(
    '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  );
});

it('gives memory of its own', () => {
  expect(deriveKey(Buffer.alloc(32), 'salt', 'info', 32).buffer.byteLength).toBe(32);
});
