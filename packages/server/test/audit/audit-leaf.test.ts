import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auditLeafHash, auditRowHash } from '../../src/audit/audit-leaf.js';

const SALT = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');

describe('the leaf of an audit row', () => {
  it('has the bytes of FORMAT.md', () => {
    const u32 = (n: number) => Buffer.of(n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
    const part = (bytes: Buffer | string) => Buffer.concat([u32(Buffer.byteLength(bytes)), Buffer.from(bytes)]);
    const lp = (...parts: (Buffer | string)[]) => Buffer.concat([u32(parts.length), ...parts.map(part)]);
    const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest();
    const row = { id: '7', user_id: 'Zoë', action: 'key_created', details: null };
    const rowHash = sha256(lp('fieldseal/audit-row/v1', SALT, 'action', 'key_created', 'id', '7', 'user_id', 'Zoë'));
    expect(auditRowHash(row, SALT)).toEqual(rowHash);
    const leaf = Buffer.concat([Buffer.of(0), lp('fieldseal/audit-leaf/v1', '1', '7', '900', rowHash)]);
    const place = { epoch: 1, auditId: 7, xactId: 900, rowHash };
    expect(auditLeafHash(place)).toEqual(sha256(leaf));
    expect(auditLeafHash(place).toString('hex')).toBe(
      '6317753f5930010addf518f39642c637948161abbdc157fe50836a5c6f87141c',
    );
    for (const other of [{ epoch: 2 }, { auditId: 8 }, { xactId: 901 }, { xactId: null }, { rowHash: SALT }])
      expect(auditLeafHash({ ...place, ...other })).not.toEqual(auditLeafHash(place));
  });

  it('differs for two different rows, salts, and for bytes in the place of text', () => {
    const value = fc.option(fc.oneof(fc.string(), fc.uint8Array({ maxLength: 4 })), { nil: null });
    const row = fc.record({ id: fc.string(), user_id: value, details: value });
    const plain = (given: object) =>
      JSON.stringify(given, (_, part) => (part instanceof Uint8Array ? { bytes: [...part] } : part));
    fc.assert(
      fc.property(row, row, fc.uint8Array({ minLength: 16, maxLength: 16 }), (a, b, salt) => {
        expect(auditRowHash(a, SALT).equals(auditRowHash(b, SALT))).toBe(plain(a) === plain(b));
        expect(auditRowHash(a, SALT).equals(auditRowHash(a, salt))).toBe(SALT.equals(salt));
      }),
    );
    const text = { id: '1', details: 'ab' };
    expect(auditRowHash(text, SALT)).not.toEqual(auditRowHash({ ...text, details: Buffer.from('ab') }, SALT));
    expect(auditRowHash(text, SALT)).not.toEqual(auditRowHash({ id: '1', details: null }, SALT));
    expect(auditRowHash({ id: '1', details: '' }, SALT)).not.toEqual(auditRowHash({ id: '1', details: null }, SALT));
  });
});
