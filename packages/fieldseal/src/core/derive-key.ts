/** HKDF-SHA256 (RFC 5869), the one way in which a key is made from another. */
import { hkdfSync } from 'node:crypto';

/**
 * Derives `length` bytes from `secret`; `salt` and `info` say what for, and stand in FORMAT.md. Text is taken as UTF-8.
 * @throws RangeError for more than 8160 bytes (RFC 5869 §2.3), or for an `info` of more than 1024, which node:crypto refuses
 */
export function deriveKey(
  secret: Uint8Array,
  salt: string | Uint8Array,
  info: string | Uint8Array,
  length: number,
): Buffer {
  // hkdfSync returns memory of its own, never a slice of Node's shared pool.
  return Buffer.from(hkdfSync('sha256', secret, salt, info, length));
}
