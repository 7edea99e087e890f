/** AES-256-GCM (NIST SP 800-38D) with a 12-byte nonce and a tag of always 16 bytes: what XAES-256-GCM stands on. */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { decryptFailed } from './decrypt-failed.js';

export const GCM_NONCE_BYTES = 12;
export const GCM_TAG_BYTES = 16;
const GCM_OPTIONS = { authTagLength: GCM_TAG_BYTES };

/**
 * Encrypts; returns ciphertext ‖ tag. A nonce must never repeat under a key, and 12 bytes are too few to be drawn at
 * random for many messages: values are sealed with XAES-256-GCM, which draws a key for each.
 * @param key 32 bytes
 * @throws RangeError for a nonce of another length
 */
export function sealAes256Gcm(
  key: KeyObject,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associatedData: Uint8Array,
): Buffer {
  const out = Buffer.allocUnsafe(plaintext.length + GCM_TAG_BYTES);
  writeSealedAes256Gcm(out, 0, key, nonce, plaintext, associatedData);
  return out;
}

/** As {@link sealAes256Gcm}, and writes ciphertext ‖ tag to `target` at `offset`. Text is encrypted as its UTF-8. */
export function writeSealedAes256Gcm(
  target: Buffer,
  offset: number,
  key: KeyObject,
  nonce: Uint8Array,
  plaintext: string | Uint8Array,
  associatedData: Uint8Array,
): void {
  if (nonce.length !== GCM_NONCE_BYTES) throw new RangeError('an AES-256-GCM nonce has 12 bytes');
  const cipher = createCipheriv('aes-256-gcm', key, nonce, GCM_OPTIONS);
  cipher.setAAD(associatedData);
  const ciphertext = typeof plaintext === 'string' ? cipher.update(plaintext, 'utf8') : cipher.update(plaintext);
  // GCM works byte by byte: `update` has given out everything, and `final` only makes the tag.
  cipher.final();
  target.set(ciphertext, offset);
  target.set(cipher.getAuthTag(), offset + ciphertext.length);
}

/**
 * Decrypts ciphertext ‖ tag.
 * @param key 32 bytes
 * @throws FieldsealError `ERR_DECRYPT_FAILED`, without saying why
 */
export function openAes256Gcm(
  key: KeyObject,
  nonce: Uint8Array,
  sealed: Uint8Array,
  associatedData: Uint8Array,
): Buffer {
  if (sealed.length < GCM_TAG_BYTES || nonce.length !== GCM_NONCE_BYTES) throw decryptFailed();
  const end = sealed.length - GCM_TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, GCM_OPTIONS);
  decipher.setAAD(associatedData).setAuthTag(sealed.subarray(end));
  try {
    const plaintext = decipher.update(sealed.subarray(0, end));
    decipher.final();
    return plaintext;
  } catch {
    throw decryptFailed();
  }
}
