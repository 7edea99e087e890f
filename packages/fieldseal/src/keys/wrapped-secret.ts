/**
 * A secret of 32 bytes wrapped under another key, as the database holds it (FORMAT.md §7 and §8).
 *
 *     wrapped = base64url, unpadded, of 0x01 ‖ nonce 24 ‖ XAES-256-GCM(KEK, nonce, secret 32, AD) 48
 */
import { decryptFailed } from '../core/decrypt-failed.js';
import { Secret } from '../core/secret.js';
import { XAES_KEY_BYTES, XAES_NONCE_BYTES, XAES_TAG_BYTES, type Xaes256Gcm } from '../core/xaes-256-gcm.js';

const VERSION = 0x01;
const WRAPPED_BYTES = 1 + XAES_NONCE_BYTES + XAES_KEY_BYTES + XAES_TAG_BYTES;

/** Wraps the 32 bytes of `secret` under `kek`, bound to `associatedData`. */
export function wrapSecret(kek: Xaes256Gcm, secret: Secret, associatedData: Uint8Array): string {
  const nonce = Secret.random(XAES_NONCE_BYTES).reveal();
  const sealed = kek.seal(nonce, secret.reveal(), associatedData);
  return Buffer.concat([Buffer.of(VERSION), nonce, sealed]).toString('base64url');
}

/** Opens what {@link wrapSecret} wrote, in exactly the text that it wrote. @throws FieldsealError `ERR_DECRYPT_FAILED` */
export function unwrapSecret(kek: Xaes256Gcm, wrapped: string, associatedData: Uint8Array): Secret {
  const bytes = Buffer.from(wrapped, 'base64url');
  // Node's decoder skips what it does not know; encoding again shows whether there was any of that.
  if (bytes.length !== WRAPPED_BYTES || bytes[0] !== VERSION || bytes.toString('base64url') !== wrapped) {
    throw decryptFailed();
  }
  const nonce = bytes.subarray(1, 1 + XAES_NONCE_BYTES);
  const opened = kek.open(nonce, bytes.subarray(1 + XAES_NONCE_BYTES), associatedData);
  const secret = Secret.from(opened);
  opened.fill(0);
  return secret;
}
