/** HKDF-SHA256 (RFC 5869), the one way in which a key is made from another. */
import { hkdfSync } from 'node:crypto';

/** Derives `length` bytes from `secret`; `salt` and `info` say what for, and stand in FORMAT.md. */
export function deriveKey(secret: Uint8Array, salt: string, info: string | Uint8Array, length: number): Buffer {
  // hkdfSync returns memory of its own, never a slice of Node's shared pool.
  return Buffer.from(hkdfSync('sha256', secret, salt, info, length));
}
