/**
 * XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM with a 24-byte nonce, safe to draw at random for 2^80 messages.
 *
 *     L  = AES-256(K, 0¹²⁸);  K1 = L « 1 (⊕ 0x87 when L's top bit was set)          the CMAC subkey, once a key
 *     M1 = 0x00 01 58 00 ‖ N[:12],  M2 = 0x00 02 58 00 ‖ N[:12]
 *     Kx = AES-256(K, M1 ⊕ K1) ‖ AES-256(K, M2 ⊕ K1);  Nx = N[12:]
 *     ciphertext ‖ tag16 = AES-256-GCM(Kx, Nx, plaintext, associated data)
 */
import { type Cipher, createCipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { GCM_TAG_BYTES, openAes256Gcm, sealAes256Gcm, writeSealedAes256Gcm } from './aes-256-gcm.js';
import { decryptFailed } from './decrypt-failed.js';

export const XAES_KEY_BYTES = 32;
export const XAES_NONCE_BYTES = 24;
export const XAES_TAG_BYTES = GCM_TAG_BYTES;

// What a message's key is derived from; erased again by whoever wrote it.
const derivationBlocks = Buffer.allocUnsafeSlow(32);

/** One XAES-256-GCM key. */
export class Xaes256Gcm {
  readonly #key: KeyObject;
  readonly #k1: Buffer;
  /**
   * AES-256 of whole blocks, one cipher for all calls: ECB has no state, each block is the bare block cipher's, and
   * that is what the specification uses. Only a cipher for a message's own key has to be made anew for each message.
   */
  #blockCipher: Cipher | null = null;

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    if (key.length !== XAES_KEY_BYTES) throw new RangeError('an XAES-256-GCM key has 32 bytes');
    this.#key = createSecretKey(key);
    const l = this.#encryptBlocks(Buffer.alloc(16));
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

  /** As {@link seal}, and writes ciphertext ‖ tag, `plaintext.length + 16` bytes, to `target` at `offset`. */
  writeSealed(
    target: Buffer,
    offset: number,
    nonce: Uint8Array,
    plaintext: string | Uint8Array,
    associatedData: Uint8Array,
  ): void {
    writeSealedAes256Gcm(target, offset, this.#derive(nonce), nonce.subarray(12), plaintext, associatedData);
  }

  /** Decrypts ciphertext ‖ tag. @throws FieldsealError `ERR_DECRYPT_FAILED`, without saying why */
  open(nonce: Uint8Array, sealed: Uint8Array, associatedData: Uint8Array): Buffer {
    if (sealed.length < XAES_TAG_BYTES || nonce.length !== XAES_NONCE_BYTES) throw decryptFailed();
    return openAes256Gcm(this.#derive(nonce), nonce.subarray(12), sealed, associatedData);
  }

  #derive(nonce: Uint8Array): KeyObject {
    if (nonce.length !== XAES_NONCE_BYTES) throw new RangeError('an XAES-256-GCM nonce has 24 bytes');
    const [blocks, k1] = [derivationBlocks, this.#k1];
    for (let i = 0; i < 12; i++) blocks[4 + i] = (nonce[i] as number) ^ (k1[4 + i] as number);
    blocks.copyWithin(20, 4, 16);
    // 00 01 58 00 and 00 02 58 00.
    for (const at of [0, 16]) {
      blocks[at] = k1[0] as number;
      blocks[at + 1] = (k1[1] as number) ^ (at === 0 ? 1 : 2);
      blocks[at + 2] = (k1[2] as number) ^ 0x58;
      blocks[at + 3] = k1[3] as number;
    }
    const derived = this.#encryptBlocks(blocks);
    blocks.fill(0);
    // A KeyObject, not the bytes: from Node 24 on a cipher of raw bytes costs 17 µs.
    const key = createSecretKey(derived);
    derived.fill(0);
    return key;
  }

  #encryptBlocks(blocks: Buffer): Buffer {
    const cipher = this.#blockCipher ?? createCipheriv('aes-256-ecb', this.#key, null).setAutoPadding(false);
    // Out of reach while it works: after a fault the next call makes a new one.
    this.#blockCipher = null;
    const out = cipher.update(blocks);
    if (out.length !== blocks.length) throw new Error('the cipher returned another length');
    this.#blockCipher = cipher;
    return out;
  }
}
