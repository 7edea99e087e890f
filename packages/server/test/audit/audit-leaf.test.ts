import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auditLeafHash } from '../../src/audit/audit-leaf.js';

const SALT = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');

describe('the leaf of an audit row', () => {
  it('has the bytes of FORMAT.md', () => {
    const u32 = (n: number) => Buffer.of(n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
    const part = (bytes: Buffer | string) => Buffer.concat([u32(Buffer.byteLength(bytes)), Buffer.from(bytes)]);
    const parts = ['fieldseal/audit-leaf/v1', SALT, 'action', 'key_created', 'id', '7', 'user_id', 'Zoë'];
    const bytes = Buffer.concat([Buffer.of(0), u32(parts.length), ...parts.map(part)]);
    const row = { id: '7', user_id: 'Zoë', action: 'key_created', details: null };
    expect(auditLeafHash(row, SALT)).toEqual(createHash('sha256').update(bytes).digest());
    expect(auditLeafHash(row, SALT).toString('hex')).toBe(
      '0ba8fe41232b9a6581f92de32ca4889e9b161db1536d94a376bb9f21e16120f5',
    );
  });

  it('differs for two different rows, salts, and for bytes in the place of text', () => {
    const value = fc.option(fc.oneof(fc.string(), fc.uint8Array({ maxLength: 4 })), { nil: null });
    const row = fc.record({ id: fc.string(), user_id: value, details: value });
    const plain = (given: object) =>
      JSON.stringify(given, (_, part) => (part instanceof Uint8Array ? { bytes: [...part] } : part));
    fc.assert(
      fc.property(row, row, fc.uint8Array({ minLength: 16, maxLength: 16 }), (a, b, salt) => {
        expect(auditLeafHash(a, SALT).equals(auditLeafHash(b, SALT))).toBe(plain(a) === plain(b));
        expect(auditLeafHash(a, SALT).equals(auditLeafHash(a, salt))).toBe(SALT.equals(salt));
      }),
    );
    const text = { id: '1', details: 'ab' };
    expect(auditLeafHash(text, SALT)).not.toEqual(auditLeafHash({ ...text, details: Buffer.from('ab') }, SALT));
    expect(auditLeafHash(text, SALT)).not.toEqual(auditLeafHash({ id: '1', details: null }, SALT));
    expect(auditLeafHash({ id: '1', details: '' }, SALT)).not.toEqual(auditLeafHash({ id: '1', details: null }, SALT));
  });
});
