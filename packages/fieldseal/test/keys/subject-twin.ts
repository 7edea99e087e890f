/** Wrapped secrets and subjects' keys as FORMAT.md draws them, written again on node:crypto: the twin. */
import { hkdfSync } from 'node:crypto';
import { Xaes256Gcm } from '../../src/core/xaes-256-gcm.js';

function derive(secret: Buffer, salt: string, info: string | Buffer, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, length));
}

function lp(...parts: string[]): Buffer {
  const u32 = (value: number) => Buffer.from(value.toString(16).padStart(8, '0'), 'hex');
  return Buffer.concat([
    u32(parts.length),
    ...parts.flatMap((part) => [u32(Buffer.byteLength(part)), Buffer.from(part)]),
  ]);
}

/** The fingerprint of a subject root. */
export function twinSubjectFingerprint(root: Buffer): string {
  return derive(root, 'fieldseal/subject-root/v1', 'fingerprint', 8).toString('hex');
}

/** The 32 bytes of a wrapped secret. */
export function twinSubjectUnwrap(root: Buffer, tenant: string, subject: string, wrapped: string): Buffer {
  const bytes = Buffer.from(wrapped, 'base64url');
  if (bytes[0] !== 1 || bytes.length !== 1 + 24 + 32 + 16) throw new Error('not a wrap');
  const ad = lp('fieldseal/subject-wrap/1', tenant, subject, twinSubjectFingerprint(root));
  const kek = new Xaes256Gcm(derive(root, 'fieldseal/subject-root/v1', 'wrap', 32));
  return kek.open(bytes.subarray(1, 25), bytes.subarray(25), ad);
}

/** The 32 bytes of a subject's key under a key version. */
export function twinSubjectKey(version: Buffer, secret: Buffer, tenant: string, subject: string): Buffer {
  const info = lp('fieldseal/subject/1', tenant, subject);
  return derive(Buffer.concat([version, secret]), 'fieldseal/xaes-subject/v1', info, 32);
}
