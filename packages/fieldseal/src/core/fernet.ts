/** Fernet as pyca/cryptography has it: `encrypt`, `decrypt`, `extractTimestamp` under one key. */
import { FieldsealError } from '../errors.js';
import { type Base64Mode, decodeBase64UrlPython, decodeBase64UrlStrict, encodeBase64Url } from './base64url.js';
import { decryptFailed } from './decrypt-failed.js';
import { FERNET_KEY_BYTES, FernetKey } from './fernet-key.js';
import {
  CIPHERTEXT_AT,
  type LoadedToken,
  loadToken,
  SECONDS_AT,
  secondsToWords,
  tokenBuffer,
  tokenBytesFor,
} from './fernet-token.js';
import { Secret } from './secret.js';
import { assertWellFormed } from './utf8.js';

/** How far a token's clock may be ahead of ours, in seconds, when a TTL is checked (as in pyca/cryptography). */
const MAX_CLOCK_SKEW_SECONDS = 60n;

/** How `Fernet` and `MultiFernet` read base64. */
export interface FernetOptions {
  /** `strict` (default): only canonical, padded base64url. `python`: exactly what pyca/cryptography accepts. */
  readonly base64?: Base64Mode;
}

/** The time that stands in a new token. */
export interface EncryptOptions {
  /** Whole seconds since 1970; now when left out. */
  readonly timeSeconds?: number | bigint;
}

/** The age that a token may have. Without `ttlSeconds` its time is not looked at. */
export interface DecryptOptions {
  readonly ttlSeconds?: number | bigint;
  /** The time to judge by; now when left out. */
  readonly nowSeconds?: number | bigint;
}

/**
 * Reads a Fernet key's text into its 32 bytes.
 * @throws FieldsealError `ERR_KEY_MALFORMED`; the message never repeats the text
 */
export function decodeFernetKey(text: string, mode: Base64Mode = 'strict'): Secret {
  const bytes = mode === 'strict' ? decodeBase64UrlStrict(text) : decodeBase64UrlPython(text);
  if (bytes?.length !== FERNET_KEY_BYTES) {
    throw new FieldsealError(
      'ERR_KEY_MALFORMED',
      'A Fernet key is 32 bytes in base64url, 44 characters with the padding; make one with `fieldseal keygen`.',
    );
  }
  const secret = Secret.from(bytes);
  bytes.fill(0);
  return secret;
}

/** Puts data behind the token's header and seals it. */
export function encryptWith(key: FernetKey, data: string | Uint8Array, timeSeconds?: number | bigint): string {
  const nowMs = Date.now();
  const { high, low } = secondsToWords(timeSeconds ?? Math.floor(nowMs / 1000));
  if (typeof data !== 'string') {
    if (!(data instanceof Uint8Array)) throw new TypeError('encrypt takes a string or a Uint8Array');
    const buffer = tokenBuffer(tokenBytesFor(data.length));
    buffer.set(data, CIPHERTEXT_AT);
    return key.seal(buffer, data.length, high, low, nowMs);
  }
  assertWellFormed(data);
  // A UTF-16 unit takes at most 3 bytes; counting them exactly pays only for a text that needs a buffer of its own.
  const bytes = data.length > 2048 ? Buffer.byteLength(data) : data.length * 3;
  const buffer = tokenBuffer(tokenBytesFor(bytes));
  return key.seal(buffer, buffer.write(data, CIPHERTEXT_AT), high, low, nowMs);
}

/** @throws FieldsealError `ERR_DECRYPT_FAILED` for a token that is too old, or too far ahead of our clock */
function assertFresh({ buffer }: LoadedToken, { ttl, now }: AgeLimit): void {
  const made = buffer.readBigUInt64BE(SECONDS_AT);
  if (made + ttl < now || now + MAX_CLOCK_SKEW_SECONDS < made) throw decryptFailed();
}

/** The age that a token may have, in numbers that no longer run anyone's code. */
interface AgeLimit {
  readonly ttl: bigint;
  readonly now: bigint;
}

/**
 * Reads the options, which may run the caller's code (getters, `valueOf`) and so comes before the shared buffer holds
 * anything: that code may decrypt, too.
 */
function ageLimit({ ttlSeconds, nowSeconds }: DecryptOptions): AgeLimit | null {
  if (ttlSeconds === undefined) return null;
  return { ttl: BigInt(ttlSeconds), now: BigInt(nowSeconds ?? Math.floor(Date.now() / 1000)) };
}

/** The first key that authenticates the token. @throws FieldsealError `ERR_DECRYPT_FAILED` when none does */
export function findKey(keys: readonly FernetKey[], loaded: LoadedToken): FernetKey {
  for (const key of keys) if (key.authenticates(loaded)) return key;
  throw decryptFailed();
}

/** Loads a token. @throws FieldsealError `ERR_DECRYPT_FAILED` for what cannot be one */
export function load(token: string | Uint8Array, mode: Base64Mode): LoadedToken {
  const loaded = loadToken(token, mode);
  if (!loaded) throw decryptFailed();
  return loaded;
}

/** Decrypts to text under the first of the keys that authenticates the token. @throws as {@link Fernet.decrypt} */
export function decryptTextWith(
  keys: readonly FernetKey[],
  token: string | Uint8Array,
  mode: Base64Mode,
  options: DecryptOptions = {},
): string {
  const limit = ageLimit(options);
  const loaded = load(token, mode);
  const key = findKey(keys, loaded);
  if (limit) assertFresh(loaded, limit);
  return key.decipherText(loaded);
}

/**
 * Decrypts to bytes under the first of the keys that authenticates the token. @throws as {@link Fernet.decryptBytes}
 */
export function decryptBytesWith(
  keys: readonly FernetKey[],
  token: string | Uint8Array,
  mode: Base64Mode,
  options: DecryptOptions,
): Buffer {
  const limit = ageLimit(options);
  const loaded = load(token, mode);
  const key = findKey(keys, loaded);
  if (limit) assertFresh(loaded, limit);
  return key.decipher(loaded);
}

/** When an authentic token was made, in seconds since 1970. @throws FieldsealError `ERR_DECRYPT_FAILED` */
export function extractTimestampWith(keys: readonly FernetKey[], token: string | Uint8Array, mode: Base64Mode): bigint {
  const loaded = load(token, mode);
  findKey(keys, loaded);
  return loaded.buffer.readBigUInt64BE(SECONDS_AT);
}

/**
 * One Fernet key. Tokens go both ways between this class and pyca/cryptography's.
 *
 * A token is bound to no place: whoever can write to the database can copy it to another row or column unnoticed.
 *
 * @example
 * const fernet = new Fernet(Fernet.generateKey());
 * fernet.decrypt(fernet.encrypt('hello')); // 'hello'
 */
export class Fernet {
  /** @internal for MultiFernet; it reveals nothing */
  readonly key: FernetKey;
  readonly #keys: readonly FernetKey[];
  readonly #mode: Base64Mode;

  /** @param key base64url text, 32 bytes, or a Secret of 32 bytes. @throws FieldsealError `ERR_KEY_MALFORMED` */
  constructor(key: string | Uint8Array | Secret, options: FernetOptions = {}) {
    this.#mode = options.base64 ?? 'strict';
    const secret = typeof key === 'string' ? decodeFernetKey(key, this.#mode) : key;
    const bytes = secret instanceof Secret ? secret.reveal() : secret;
    if (!(bytes instanceof Uint8Array) || bytes.length !== FERNET_KEY_BYTES) {
      throw new FieldsealError('ERR_KEY_MALFORMED', 'A Fernet key has 32 bytes.');
    }
    this.key = new FernetKey(bytes);
    this.#keys = [this.key];
  }

  /** A new key as text: 32 bytes of the CSPRNG in base64url, 44 characters. */
  static generateKey(): string {
    const secret = Secret.random(FERNET_KEY_BYTES);
    const text = encodeBase64Url(secret.reveal());
    secret.dispose();
    return text;
  }

  /**
   * Encrypts text (as UTF-8) or bytes into a token.
   * @throws FieldsealError `ERR_VALUE_NOT_TEXT` for a lone surrogate
   */
  encrypt(data: string | Uint8Array, options: EncryptOptions = {}): string {
    return encryptWith(this.key, data, options.timeSeconds);
  }

  /**
   * Decrypts to text. @throws FieldsealError `ERR_DECRYPT_FAILED`, or `ERR_VALUE_NOT_TEXT` when the bytes are not UTF-8
   */
  decrypt(token: string | Uint8Array, options: DecryptOptions = {}): string {
    return decryptTextWith(this.#keys, token, this.#mode, options);
  }

  /** Decrypts to bytes. @throws FieldsealError `ERR_DECRYPT_FAILED` */
  decryptBytes(token: string | Uint8Array, options: DecryptOptions = {}): Buffer {
    return decryptBytesWith(this.#keys, token, this.#mode, options);
  }

  /** When an authentic token was made, in seconds since 1970. @throws FieldsealError `ERR_DECRYPT_FAILED` */
  extractTimestamp(token: string | Uint8Array): bigint {
    return extractTimestampWith(this.#keys, token, this.#mode);
  }
}
