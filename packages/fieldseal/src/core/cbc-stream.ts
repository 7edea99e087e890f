/**
 * AES-128-CBC of any number of values through two ciphers that live as long as the key, one for each direction.
 *
 *     encrypt:  [16 fresh random bytes R][padded plaintext] …   →   [IV][ciphertext] …
 *     decrypt:  [IV][ciphertext] …                              →   [16 bytes of no meaning][padded plaintext] …
 *
 * Creating a cipher costs several times what it then does to a field; a call of `update` is all that is left here.
 *
 * **Why the IV is as good as a random one.** CBC makes of a block B the block E(B ⊕ C), C being the block that came out
 * before. What comes out for R is IV = E(R ⊕ C). R is drawn from the CSPRNG for this one block, uniform and independent
 * of all that the key has ever seen: of C, of every plaintext, of the key. So R ⊕ C is uniform whatever C is, and E, a
 * permutation, keeps it uniform: given everything before it, the IV is each of the 2^128 values with equal probability,
 * which is the distribution that NIST SP 800-38A (appendix C) asks of a random IV, not an approximation of it. Each
 * block behind is E(P ⊕ the block before), as under a cipher of its own with that IV. Nobody can know the IV before the
 * plaintext is chosen, since R leaves this process in no other form. RFC 4346 §6.2.3.2 (TLS 1.1) made IVs in the same
 * way.
 *
 * **What could break it is state**, and so: R is used up before the call (random-pool.ts erases it as it hands it out);
 * the input is whole blocks and as many must come out, so that no block of one value is held back for the next; a
 * cipher is out of reach while it works, and is put back only once all is as it should be. Whatever throws, and
 * whatever calls back in between, leaves a new cipher to the next call.
 *
 * **Decrypting.** CBC makes of a block C the block D(C) ⊕ the block before. For the first block of a ciphertext that is
 * its IV; for the IV it is the last block of whichever token came before, so that what comes out in the IV's place is
 * no plaintext. The caller erases it before it gives anything away. No other block depends on a neighbour. Only
 * ciphertext whose own MAC was verified may enter.
 *
 * Its readable twin is `createCipheriv` with the IV that came out; the tests hold every token against it.
 */
import {
  type Cipher,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type Decipher,
  type KeyObject,
  randomBytes,
} from 'node:crypto';

export const AES_BLOCK_BYTES = 16;
const ALGORITHM = 'aes-128-cbc';

/**
 * Of a large value so much goes through at once: it stays in the cache, and takes no second buffer of the value's size.
 */
const PIECE_BYTES = 64 * 1024;

/** Runs whole blocks through a cipher without padding, which gives out every block at once. */
function run(cipher: Cipher | Decipher, blocks: Uint8Array): Buffer {
  if (blocks.length % AES_BLOCK_BYTES !== 0) throw new RangeError('CBC takes whole blocks of 16 bytes');
  const out = cipher.update(blocks);
  if (out.length !== blocks.length) throw new Error('the cipher returned another length');
  return out;
}

/** Runs the whole blocks in `buffer[start … end)` through a cipher and puts in their place what comes out. */
function runInPlace(cipher: Cipher | Decipher, buffer: Buffer, start: number, end: number): void {
  for (let at = start; at < end; at += PIECE_BYTES) {
    run(cipher, buffer.subarray(at, Math.min(at + PIECE_BYTES, end))).copy(buffer, at);
  }
}

/** Both directions under one key. */
export class CbcStream {
  readonly #key: KeyObject;
  #cipher: Cipher | null = null;
  #decipher: Decipher | null = null;

  /** @param key 16 bytes, copied */
  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new RangeError('an AES-128 key has 16 bytes');
    this.#key = createSecretKey(key);
  }

  /**
   * Encrypts values that stand one behind the other, each as 16 random bytes that were drawn for it alone and its
   * padded plaintext. In place of the random bytes comes out the IV.
   * @returns memory of its own, as long as `blocks`
   */
  encrypt(blocks: Uint8Array): Buffer {
    const cipher = this.#takeCipher();
    const out = run(cipher, blocks);
    this.#cipher = cipher;
    return out;
  }

  /** As {@link encrypt}, of a large value: what comes out stands in `buffer[start … end)` again. */
  encryptInPlace(buffer: Buffer, start: number, end: number): void {
    const cipher = this.#takeCipher();
    runInPlace(cipher, buffer, start, end);
    this.#cipher = cipher;
  }

  /**
   * Decrypts tokens' IVs and ciphertexts that stand one behind the other, all authenticated already.
   * @returns memory of its own, as long as `blocks`. In the place of each IV stand 16 bytes that mean nothing and that
   * the caller erases before it gives anything away
   */
  decrypt(blocks: Uint8Array): Buffer {
    const decipher = this.#takeDecipher();
    const out = run(decipher, blocks);
    this.#decipher = decipher;
    return out;
  }

  /** As {@link decrypt}, of a large value: what comes out stands in `buffer[start … end)` again. */
  decryptInPlace(buffer: Buffer, start: number, end: number): void {
    const decipher = this.#takeDecipher();
    runInPlace(decipher, buffer, start, end);
    this.#decipher = decipher;
  }

  #takeCipher(): Cipher {
    const cipher = this.#cipher;
    this.#cipher = null;
    return cipher ?? createCipheriv(ALGORITHM, this.#key, randomBytes(AES_BLOCK_BYTES)).setAutoPadding(false);
  }

  #takeDecipher(): Decipher {
    const decipher = this.#decipher;
    this.#decipher = null;
    return decipher ?? createDecipheriv(ALGORITHM, this.#key, randomBytes(AES_BLOCK_BYTES)).setAutoPadding(false);
  }
}
