/** The cryptography of one Fernet key over the bytes of a token: AES-128-CBC under an HMAC-SHA256. */
import { timingSafeEqual } from 'node:crypto';
import { AES_BLOCK_BYTES, CbcStream } from './cbc-stream.js';
import { decryptFailed } from './decrypt-failed.js';
import {
  aesPart,
  CIPHERTEXT_AT,
  FERNET_VERSION,
  hashedPart,
  IV_AT,
  type LoadedToken,
  SCRATCH_BYTES,
  SECONDS_AT,
  tokenText,
  VERSION_AT,
} from './fernet-token.js';
import { HMAC_BYTES, HmacSha256 } from './hmac-sha256.js';
import { fillRandom } from './random-pool.js';
import { decodeUtf8Range } from './utf8.js';

/** A Fernet key has 32 bytes: signing16 ‖ encryption16. */
export const FERNET_KEY_BYTES = 32;

// Where a computed MAC and the one that a token brings are put for comparing. Views of the token would cost more.
const expectedMac = Buffer.allocUnsafeSlow(HMAC_BYTES);
const givenMac = Buffer.allocUnsafeSlow(HMAC_BYTES);

/**
 * The length of the plaintext in `padded[start … end)`, whole blocks ending in PKCS#7; -1 when they end in anything
 * else. The MAC has been verified, so that a padding oracle has no one to ask.
 */
export function unpaddedLength(padded: Buffer, start: number, end: number): number {
  const padding = padded[end - 1] as number;
  if (padding < 1 || padding > AES_BLOCK_BYTES || padding > end - start) return -1;
  for (let i = end - padding; i < end; i++) if (padded[i] !== padding) return -1;
  return end - start - padding;
}

/** Pads the plaintext that ends at `end` as PKCS#7 asks. @returns where the padding ends */
export function writePadding(buffer: Buffer, plaintextBytes: number, end: number): number {
  const padding = AES_BLOCK_BYTES - (plaintextBytes % AES_BLOCK_BYTES);
  for (let i = end; i < end + padding; i++) buffer[i] = padding;
  return end + padding;
}

/** What is done once a key, is done here: the ciphers and the padded HMAC key. */
export class FernetKey {
  /** @internal for fernet-batch.ts */
  readonly hmac: HmacSha256;
  /** @internal for fernet-batch.ts */
  readonly cbc: CbcStream;

  /** @param key 32 bytes, copied */
  constructor(key: Uint8Array) {
    if (key.length !== FERNET_KEY_BYTES) throw new RangeError('a Fernet key has 32 bytes');
    this.hmac = new HmacSha256(key.subarray(0, 16));
    this.cbc = new CbcStream(key.subarray(16));
  }

  /** Whether the token's MAC is this key's. Comes before any other byte is looked at; constant time. */
  authenticates({ buffer, end }: LoadedToken): boolean {
    const signedEnd = end - HMAC_BYTES;
    this.hmac.writeTo(buffer, signedEnd, expectedMac, 0, hashedPart(buffer, signedEnd));
    buffer.copy(givenMac, 0, signedEnd, end);
    return timingSafeEqual(givenMac, expectedMac);
  }

  /** Decrypts a token that this key authenticates. @throws FieldsealError `ERR_DECRYPT_FAILED` for a malformed one */
  decipher(loaded: LoadedToken): Buffer {
    const { buffer, start, end } = this.#decipher(loaded);
    return buffer.subarray(start, end);
  }

  /** Decrypts to text. @throws FieldsealError as `decipher`, and `ERR_VALUE_NOT_TEXT` when the bytes are not UTF-8 */
  decipherText(loaded: LoadedToken): string {
    const { buffer, start, end } = this.#decipher(loaded);
    return decodeUtf8Range(buffer, start, end);
  }

  /**
   * Encrypts `buffer[CIPHERTEXT_AT … CIPHERTEXT_AT + plaintextLength)` in place and returns the token's text. The
   * buffer needs `tokenBytesFor(plaintextLength)` bytes behind its first 64.
   * @param nowMs the wall clock, for the age of the random pool
   */
  seal(buffer: Buffer, plaintextLength: number, secondsHigh: number, secondsLow: number, nowMs: number): string {
    const end = writePadding(buffer, plaintextLength, CIPHERTEXT_AT + plaintextLength);
    buffer[VERSION_AT] = FERNET_VERSION;
    buffer.writeUInt32BE(secondsHigh, SECONDS_AT);
    buffer.writeUInt32BE(secondsLow, SECONDS_AT + 4);
    try {
      fillRandom(buffer, IV_AT, AES_BLOCK_BYTES, nowMs);
      if (end > SCRATCH_BYTES) this.cbc.encryptInPlace(buffer, IV_AT, end);
      else this.cbc.encrypt(aesPart(buffer, end)).copy(buffer, IV_AT);
    } catch (error) {
      // The buffer is shared, and still holds plaintext.
      buffer.fill(0, VERSION_AT, end);
      throw error;
    }
    this.hmac.writeTo(buffer, end, buffer, end, hashedPart(buffer, end));
    return tokenText(buffer, end + HMAC_BYTES);
  }

  /** Where the plaintext stands: never in the shared buffer. What stood before it is erased. */
  #decipher({ buffer, end }: LoadedToken): { buffer: Buffer; start: number; end: number } {
    if (buffer[VERSION_AT] !== FERNET_VERSION) throw decryptFailed();
    const ciphertextEnd = end - HMAC_BYTES;
    let padded = buffer;
    let start = CIPHERTEXT_AT;
    let paddedEnd = ciphertextEnd;
    if (end > SCRATCH_BYTES) {
      // Too large for the shared buffer: the value has this one to itself.
      this.cbc.decryptInPlace(buffer, IV_AT, ciphertextEnd);
    } else {
      padded = this.cbc.decrypt(aesPart(buffer, ciphertextEnd));
      start = AES_BLOCK_BYTES;
      paddedEnd = padded.length;
    }
    for (let i = start - AES_BLOCK_BYTES; i < start; i++) padded[i] = 0;
    const length = unpaddedLength(padded, start, paddedEnd);
    if (length < 0) throw decryptFailed();
    return { buffer: padded, start, end: start + length };
  }
}
