/**
 * XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM with a 24-byte nonce, safe to draw at random for 2^80 messages.
 *
 *     L  = AES-256(K, 0¹²⁸);  K1 = L « 1 (⊕ 0x87 when L's top bit was set)          the CMAC subkey, once a key
 *     M1 = 0x00 01 58 00 ‖ N[:12],  M2 = 0x00 02 58 00 ‖ N[:12]
 *     Kx = AES-256(K, M1 ⊕ K1) ‖ AES-256(K, M2 ⊕ K1);  Nx = N[12:]
 *     ciphertext ‖ tag16 = AES-256-GCM(Kx, Nx, plaintext, associated data)
 */
import { createCipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { GCM_TAG_BYTES, openAes256Gcm, sealAes256Gcm } from './aes-256-gcm.js';
import { decryptFailed } from './decrypt-failed.js';

export const XAES_KEY_BYTES = 32;
export const XAES_NONCE_BYTES = 24;
export const XAES_TAG_BYTES = GCM_TAG_BYTES;

/** AES-256 of whole blocks. ECB of independent blocks is the bare block cipher, which is what the specification uses. */
function aesBlocks(key: KeyObject, blocks: Buffer): Buffer {
  return createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(blocks);
}

/** One XAES-256-GCM key. */
export class Xaes256Gcm {
  readonly #key: KeyObject;
  readonly #k1: Buffer;

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    if (key.length !== XAES_KEY_BYTES) throw new RangeError('an XAES-256-GCM key has 32 bytes');
    this.#key = createSecretKey(key);
    const l = aesBlocks(this.#key, Buffer.alloc(16));
    this.#k1 = Buffer.allocUnsafeSlow(16);
    const msb = (l[0] as number) >> 7;
    for (let i = 0; i < 16; i++) this.#k1[i] = ((l[i] as number) << 1) | ((l[i + 1] ?? 0) >> 7);
    // Constant time: the reduction is multiplied in, not branched on.
    this.#k1[15] = (this.#k1[15] as number) ^ (msb * 0x87);
  }

  /** Encrypts; returns ciphertext ‖ tag. The nonce must never repeat under a key: draw it at random. */
  seal(nonce: Uint8Array, plaintext: Uint8Array, associatedData: Uint8Array): Buffer {
    return sealAes256Gcm(this.#derive(nonce), nonce.subarray(12), plaintext, associatedData);
  }

  /** Decrypts ciphertext ‖ tag. @throws FieldsealError `ERR_DECRYPT_FAILED`, without saying why */
  open(nonce: Uint8Array, sealed: Uint8Array, associatedData: Uint8Array): Buffer {
    if (sealed.length < XAES_TAG_BYTES || nonce.length !== XAES_NONCE_BYTES) throw decryptFailed();
    return openAes256Gcm(this.#derive(nonce), nonce.subarray(12), sealed, associatedData);
  }

  #derive(nonce: Uint8Array): KeyObject {
    if (nonce.length !== XAES_NONCE_BYTES) throw new RangeError('an XAES-256-GCM nonce has 24 bytes');
    const blocks = Buffer.alloc(32);
    for (const [i, counter] of [1, 2].entries()) {
      blocks.set([0, counter, 0x58, 0], i * 16);
      blocks.set(nonce.subarray(0, 12), i * 16 + 4);
      for (let j = 0; j < 16; j++) blocks[i * 16 + j] = (blocks[i * 16 + j] as number) ^ (this.#k1[j] as number);
    }
    const derived = aesBlocks(this.#key, blocks);
    const key = createSecretKey(derived);
    derived.fill(0);
    return key;
  }
}
