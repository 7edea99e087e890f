/** MultiFernet as pyca/cryptography has it: the first key writes, all of them read. */
import type { Base64Mode } from './base64url.js';
import {
  type DecryptOptions,
  decryptBytesWith,
  decryptTextWith,
  type EncryptOptions,
  encryptWith,
  extractTimestampWith,
  type Fernet,
  type FernetOptions,
  findKey,
  load,
} from './fernet.js';
import type { FernetKey } from './fernet-key.js';
import {
  CIPHERTEXT_AT,
  type LoadedToken,
  SECONDS_AT,
  tokenBuffer,
  tokenBytesFor,
  tokenSeconds,
} from './fernet-token.js';

/** Encrypts `plaintext` under `key` with a given time; the plaintext never becomes a string. */
export function resealWith(key: FernetKey, plaintext: Buffer, secondsHigh: number, secondsLow: number): string {
  const buffer = tokenBuffer(tokenBytesFor(plaintext.length));
  plaintext.copy(buffer, CIPHERTEXT_AT);
  return key.seal(buffer, plaintext.length, secondsHigh, secondsLow, Date.now());
}

/** Re-encrypts a token under the first key; it keeps its time. @throws FieldsealError `ERR_DECRYPT_FAILED` */
export function rotateWith(keys: readonly FernetKey[], token: string | Uint8Array, mode: Base64Mode): string {
  const loaded = load(token, mode);
  return resealLoaded(keys, findKey(keys, loaded), loaded);
}

/** What is loaded, and authentic under `key`, as a token of the first key. */
function resealLoaded(keys: readonly FernetKey[], key: FernetKey, loaded: LoadedToken): string {
  const { high, low } = tokenSeconds(loaded.buffer, SECONDS_AT);
  const plaintext = key.decipher(loaded);
  try {
    return resealWith(keys[0] as FernetKey, plaintext, high, low);
  } finally {
    plaintext.fill(0);
  }
}

/** As `rotateWith`; but a token that is under the first key already, and opens, comes back as it is. */
export function renewWith(keys: readonly FernetKey[], token: string): string {
  const loaded = load(token, 'strict');
  const key = findKey(keys, loaded);
  if (key !== keys[0]) return resealLoaded(keys, key, loaded);
  key.decipher(loaded).fill(0);
  return token;
}

/**
 * Several Fernet keys, newest first.
 *
 * @example
 * const multi = new MultiFernet([new Fernet(newKey), new Fernet(oldKey)]);
 * const rotated = multi.rotate(token); // under newKey, with the token's own time
 */
export class MultiFernet {
  readonly #keys: readonly FernetKey[];
  readonly #mode: Base64Mode;

  /** @throws TypeError when `fernets` is empty */
  constructor(fernets: readonly Fernet[], options: FernetOptions = {}) {
    if (fernets.length === 0) throw new TypeError('MultiFernet needs at least one Fernet');
    this.#keys = fernets.map((fernet) => fernet.key);
    this.#mode = options.base64 ?? 'strict';
  }

  /** Encrypts under the first key. @throws FieldsealError `ERR_VALUE_NOT_TEXT` for a lone surrogate */
  encrypt(data: string | Uint8Array, options: EncryptOptions = {}): string {
    return encryptWith(this.#keys[0] as FernetKey, data, options.timeSeconds);
  }

  /** Decrypts to text under whichever key fits. @throws FieldsealError `ERR_DECRYPT_FAILED`, `ERR_VALUE_NOT_TEXT` */
  decrypt(token: string | Uint8Array, options: DecryptOptions = {}): string {
    return decryptTextWith(this.#keys, token, this.#mode, options);
  }

  /** Decrypts to bytes under whichever key fits. @throws FieldsealError `ERR_DECRYPT_FAILED` */
  decryptBytes(token: string | Uint8Array, options: DecryptOptions = {}): Buffer {
    return decryptBytesWith(this.#keys, token, this.#mode, options);
  }

  /** When an authentic token was made, in seconds since 1970. @throws FieldsealError `ERR_DECRYPT_FAILED` */
  extractTimestamp(token: string | Uint8Array): bigint {
    return extractTimestampWith(this.#keys, token, this.#mode);
  }

  /** Re-encrypts a token under the first key. It keeps its time. @throws FieldsealError `ERR_DECRYPT_FAILED` */
  rotate(token: string | Uint8Array): string {
    return rotateWith(this.#keys, token, this.#mode);
  }
}
