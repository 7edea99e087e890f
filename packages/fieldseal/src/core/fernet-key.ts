/** The cryptography of one Fernet key over the bytes of a token: AES-128-CBC under an HMAC-SHA256. */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { decryptFailed } from './decrypt-failed.js';
import {
  CIPHERTEXT_AT,
  FERNET_VERSION,
  IV_AT,
  type LoadedToken,
  SECONDS_AT,
  tokenText,
  VERSION_AT,
} from './fernet-token.js';
import { HMAC_BYTES, HmacSha256 } from './hmac-sha256.js';
import { fillRandom } from './random-pool.js';

/** A Fernet key has 32 bytes: signing16 ‖ encryption16. */
export const FERNET_KEY_BYTES = 32;

// Where a computed MAC is put for comparing; erased by the next one.
const expectedMac = Buffer.allocUnsafeSlow(HMAC_BYTES);

/** What is done once a key, is done here: the AES key object and the padded HMAC key. */
export class FernetKey {
  readonly #hmac: HmacSha256;
  readonly #aesKey: KeyObject;

  /** @param key 32 bytes, copied */
  constructor(key: Uint8Array) {
    if (key.length !== FERNET_KEY_BYTES) throw new RangeError('a Fernet key has 32 bytes');
    this.#hmac = new HmacSha256(key.subarray(0, 16));
    this.#aesKey = createSecretKey(key.subarray(16));
  }

  /** Whether the token's MAC is this key's. Comes before any other byte is looked at; constant time. */
  authenticates({ buffer, end }: LoadedToken): boolean {
    this.#hmac.writeTo(buffer, end - HMAC_BYTES, expectedMac, 0);
    return timingSafeEqual(buffer.subarray(end - HMAC_BYTES, end), expectedMac);
  }

  /** Decrypts a token that this key authenticates. @throws FieldsealError `ERR_DECRYPT_FAILED` for a malformed one */
  decipher({ buffer, end }: LoadedToken): Buffer {
    if (buffer[VERSION_AT] !== FERNET_VERSION) throw decryptFailed();
    const decipher = createDecipheriv('aes-128-cbc', this.#aesKey, buffer.subarray(IV_AT, CIPHERTEXT_AT));
    const padded = decipher.setAutoPadding(false).update(buffer.subarray(CIPHERTEXT_AT, end - HMAC_BYTES));
    // PKCS#7. The MAC has been verified, so that a padding oracle has no one to ask.
    const padding = padded[padded.length - 1] as number;
    if (padding < 1 || padding > 16) throw decryptFailed();
    const length = padded.length - padding;
    for (let i = length; i < padded.length; i++) if (padded[i] !== padding) throw decryptFailed();
    return padded.subarray(0, length);
  }

  /**
   * Encrypts `buffer[CIPHERTEXT_AT … CIPHERTEXT_AT + plaintextLength)` in place and returns the token's text. The
   * buffer needs `tokenBytesFor(plaintextLength)` bytes behind its first 64.
   * @param nowMs the wall clock, for the age of the random pool
   */
  seal(buffer: Buffer, plaintextLength: number, secondsHigh: number, secondsLow: number, nowMs: number): string {
    const padding = 16 - (plaintextLength % 16);
    const ciphertextEnd = CIPHERTEXT_AT + plaintextLength + padding;
    buffer.fill(padding, ciphertextEnd - padding, ciphertextEnd);
    buffer[VERSION_AT] = FERNET_VERSION;
    buffer.writeUInt32BE(secondsHigh, SECONDS_AT);
    buffer.writeUInt32BE(secondsLow, SECONDS_AT + 4);
    fillRandom(buffer, IV_AT, 16, nowMs);
    // The input is whole blocks, padded above, and an encrypting stream holds back no whole block: `update` returns
    // them all, and `final` (which would add a block of padding) is not called.
    const cipher = createCipheriv('aes-128-cbc', this.#aesKey, buffer.subarray(IV_AT, CIPHERTEXT_AT));
    const ciphertext = cipher.update(buffer.subarray(CIPHERTEXT_AT, ciphertextEnd));
    if (ciphertext.length !== ciphertextEnd - CIPHERTEXT_AT) throw new Error('the cipher returned another length');
    ciphertext.copy(buffer, CIPHERTEXT_AT);
    this.#hmac.writeTo(buffer, ciphertextEnd, buffer, ciphertextEnd);
    return tokenText(buffer, ciphertextEnd + HMAC_BYTES);
  }
}
