/** The wraps and MACs of a root key as FORMAT.md draws them, written again on node:crypto: the twin of `RootKey`. */
import { createHmac, hkdfSync } from 'node:crypto';
import { Xaes256Gcm } from '../../src/core/xaes-256-gcm.js';
import type { StoredKey, StoredKeyring } from '../../src/keys/stored-keyring.js';

type Part = string | Buffer;

function derive(root: Buffer, info: Part[], length: number): Buffer {
  const all = Buffer.concat(info.map((part) => Buffer.from(part as string)));
  return Buffer.from(hkdfSync('sha256', root, 'fieldseal/root/v1', all, length));
}

function u32(value: number): Buffer {
  return Buffer.from(value.toString(16).padStart(8, '0'), 'hex');
}

function u64(value: number): Buffer {
  return Buffer.from(BigInt(value).toString(16).padStart(16, '0'), 'hex');
}

function lp(parts: Part[]): Buffer {
  const withLengths = parts.flatMap((part) => {
    const bytes = Buffer.from(part as string);
    return [u32(bytes.length), bytes];
  });
  return Buffer.concat([u32(parts.length), ...withLengths]);
}

/** The fingerprint of a root key. */
export function twinFingerprint(root: Buffer): string {
  return derive(root, ['fingerprint'], 8).toString('hex');
}

/** The MAC over a ring's state. */
export function twinMac(root: Buffer, ring: StoredKeyring): string {
  const id = Buffer.from(ring.id, 'hex');
  const parts: Part[] = ['fieldseal/keyring/1', id, u64(ring.generation)];
  for (const key of [...ring.keys].sort((a, b) => a.id - b.id)) {
    parts.push(key.version, key.purpose, u32(key.id), key.state, key.createdAt);
    parts.push(key.wraps[twinFingerprint(root)] ?? '');
  }
  return createHmac('sha256', derive(root, ['state', id], 32))
    .update(lp(parts))
    .digest('hex');
}

/** The bytes of a wrapped key. */
export function twinUnwrap(root: Buffer, ringId: string, key: StoredKey): Buffer {
  const fingerprint = twinFingerprint(root);
  const id = Buffer.from(ringId, 'hex');
  const bytes = Buffer.from(key.wraps[fingerprint] as string, 'base64url');
  const ad = lp(['fieldseal/wrap/1', id, key.version, u32(key.id), key.purpose, fingerprint]);
  if (bytes[0] !== 1 || bytes.length !== 1 + 24 + 32 + 16) throw new Error('not a wrap');
  return new Xaes256Gcm(derive(root, ['wrap', id], 32)).open(bytes.subarray(1, 25), bytes.subarray(25), ad);
}
