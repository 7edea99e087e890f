/** Fields encrypted by hand, as the Python original's `encryption_service` did it. */
import { decryptTextWith, encryptWith } from './core/fernet.js';
import { type ErrorCode, FieldsealError, isFieldsealError } from './errors.js';
import { stringCodec } from './fields/string-codec.js';
import type { Keyring } from './keys/keyring.js';
import type { KeyringSnapshot } from './keys/keyring-snapshot.js';
import { keyringFromEnv } from './providers/env.js';
import type { Environment } from './providers/key-variables.js';

const text = stringCodec(null);

/** One outcome of {@link EncryptionService.tryDecryptFields}. */
export type FieldOutcome =
  | { readonly ok: true; readonly value: string | null }
  | { readonly ok: false; readonly code: ErrorCode };

function open(ring: KeyringSnapshot, token: string): string {
  if (typeof token !== 'string') throw new FieldsealError('ERR_VALUE_TYPE', 'The token is not a string.');
  return decryptTextWith(ring.readableFernet, token, 'strict');
}

function seal(ring: KeyringSnapshot, value: string): string {
  return encryptWith(ring.primary.fernet, text.encode(value));
}

/** Runs `work` on every value, and throws once at the end if it failed anywhere. */
function forEachField(values: readonly (string | null)[], work: (value: string) => string): (string | null)[] {
  const indexes: number[] = [];
  let code: ErrorCode = 'ERR_DECRYPT_FAILED';
  const results = values.map((value, index) => {
    if (value === null) return null;
    try {
      return work(value);
    } catch (error) {
      if (!isFieldsealError(error)) throw error;
      if (indexes.length === 0) code = error.code;
      indexes.push(index);
      return null;
    }
  });
  if (indexes.length === 0) return results;
  throw new FieldsealError(
    code,
    `${indexes.length} of ${values.length} values failed; their indexes are in \`indexes\`.`,
    { indexes },
  );
}

/**
 * Encrypts and decrypts single text fields. Null stays null.
 *
 * @example
 * const encryption = EncryptionService.fromEnv();
 * const token = encryption.encryptField('sensitive@data.com');
 * encryption.decryptField(token); // 'sensitive@data.com'
 */
export class EncryptionService {
  readonly #keyring: Keyring;

  constructor(keyring: Keyring) {
    this.#keyring = keyring;
  }

  /**
   * A service on `ENCRYPTION_KEY` and `ENCRYPTION_KEY_PREVIOUS`; see {@link keyringFromEnv}.
   * @throws FieldsealError `ERR_KEY_MISSING`, `ERR_KEY_MALFORMED`, `ERR_KEY_FILE`, `ERR_CONFIG_INVALID`
   */
  static fromEnv(env: Environment = process.env): EncryptionService {
    return new EncryptionService(keyringFromEnv(env));
  }

  /** @throws FieldsealError `ERR_VALUE_TYPE`, `ERR_VALUE_NOT_TEXT`, `ERR_KEYRING_STALE` */
  encryptField(value: string): string;
  encryptField(value: string | null): string | null;
  encryptField(value: string | null): string | null {
    return value === null ? null : seal(this.#keyring.writableSnapshot(), value);
  }

  /** @throws FieldsealError `ERR_DECRYPT_FAILED`, without saying why; `ERR_VALUE_NOT_TEXT`, `ERR_VALUE_TYPE` */
  decryptField(token: string): string;
  decryptField(token: string | null): string | null;
  decryptField(token: string | null): string | null {
    return token === null ? null : open(this.#keyring.snapshot(), token);
  }

  /** Encrypts a batch under one snapshot of the keyring. @throws FieldsealError with `indexes` when any value fails */
  encryptFields(values: readonly (string | null)[]): (string | null)[] {
    const ring = this.#keyring.writableSnapshot();
    return forEachField(values, (value) => seal(ring, value));
  }

  /** Decrypts a batch under one snapshot of the keyring. @throws FieldsealError with `indexes` when any token fails */
  decryptFields(tokens: readonly (string | null)[]): (string | null)[] {
    const ring = this.#keyring.snapshot();
    return forEachField(tokens, (token) => open(ring, token));
  }

  /** Decrypts a batch and reports an unreadable token at its place, at no cost to the others. */
  tryDecryptFields(tokens: readonly (string | null)[]): FieldOutcome[] {
    const ring = this.#keyring.snapshot();
    return tokens.map((token) => {
      try {
        return { ok: true, value: token === null ? null : open(ring, token) };
      } catch (error) {
        if (!isFieldsealError(error)) throw error;
        return { ok: false, code: error.code };
      }
    });
  }
}
