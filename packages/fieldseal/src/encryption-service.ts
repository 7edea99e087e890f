/** Fields encrypted by hand, as the Python original's `encryption_service` did it. */
import { inSlices } from './core/batch-slices.js';
import { decryptTextWith, encryptWith } from './core/fernet.js';
import { type BatchResult, decryptMany, encryptMany, type Hashing, rotateMany } from './core/fernet-batch.js';
import { type ErrorCode, FieldsealError } from './errors.js';
import { stringCodec } from './fields/string-codec.js';
import type { Keyring } from './keys/keyring.js';
import type { KeyringSnapshot } from './keys/keyring-snapshot.js';
import { keyringFromEnv } from './providers/env.js';
import type { Environment } from './providers/key-variables.js';

const text = stringCodec(null);

/** One outcome of {@link EncryptionService.tryDecryptFields} and {@link EncryptionService.tryRotateFields}. */
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

/** The values, when none failed. @throws FieldsealError with the code of the first failure, and all their `indexes` */
function allOrThrow({ values, failures }: BatchResult): (string | null)[] {
  const [first] = failures;
  if (!first) return values;
  throw new FieldsealError(
    first.code,
    `${failures.length} of ${values.length} values failed; their indexes are in \`indexes\`.`,
    { indexes: failures.map(({ index }) => index) },
  );
}

/** Lets everything else that waits in this thread have its turn after each slice. */
async function inTurns(slices: Generator<void, BatchResult>): Promise<BatchResult> {
  for (;;) {
    const step = slices.next();
    if (step.done) return step.value;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function outcomesOf({ values, failures }: BatchResult): FieldOutcome[] {
  const outcomes = values.map((value): FieldOutcome => ({ ok: true, value }));
  for (const { index, code } of failures) outcomes[index] = { ok: false, code };
  return outcomes;
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
  readonly #hashing: Hashing;

  /** @param env where `FIELDSEAL_WASM=0` says that batches hash with node:crypto only, never in WebAssembly */
  constructor(keyring: Keyring, env: Environment = process.env) {
    this.#keyring = keyring;
    this.#hashing = env['FIELDSEAL_WASM'] === '0' ? 'native' : 'lanes';
  }

  /**
   * A service on `ENCRYPTION_KEY` and `ENCRYPTION_KEY_PREVIOUS`; see {@link keyringFromEnv}.
   * @throws FieldsealError `ERR_KEY_MISSING`, `ERR_KEY_MALFORMED`, `ERR_KEY_FILE`, `ERR_CONFIG_INVALID`
   */
  static fromEnv(env: Environment = process.env): EncryptionService {
    return new EncryptionService(keyringFromEnv(env), env);
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

  /**
   * Encrypts a batch under one snapshot of the keyring, at less than half of what so many single calls cost. It blocks
   * until the batch is done. @throws FieldsealError with `indexes` when any value fails
   */
  encryptFields(values: readonly (string | null)[]): (string | null)[] {
    return allOrThrow(encryptMany(this.#keyring.writableSnapshot().primary.fernet, values, this.#hashing));
  }

  /**
   * Decrypts a batch under one snapshot of the keyring, at less than half of what so many single calls cost. It blocks
   * until the batch is done. @throws FieldsealError with `indexes` when any token fails
   */
  decryptFields(tokens: readonly (string | null)[]): (string | null)[] {
    return allOrThrow(decryptMany(this.#keyring.snapshot().readableFernet, tokens, this.#hashing));
  }

  /** Decrypts a batch as `decryptFields`, and reports an unreadable token at its place, at no cost to the others. */
  tryDecryptFields(tokens: readonly (string | null)[]): FieldOutcome[] {
    return outcomesOf(decryptMany(this.#keyring.snapshot().readableFernet, tokens, this.#hashing));
  }

  /**
   * Re-encrypts a batch of tokens under the primary key, each with its own time; the plaintext never becomes a string.
   * It blocks until the batch is done. @throws FieldsealError with `indexes` when any token fails; `ERR_KEYRING_STALE`
   */
  rotateFields(tokens: readonly (string | null)[]): (string | null)[] {
    return allOrThrow(rotateMany(this.#keyring.writableSnapshot().readableFernet, tokens, this.#hashing));
  }

  /** Rotates a batch as `rotateFields`, and reports an unreadable token at its place, at no cost to the others. */
  tryRotateFields(tokens: readonly (string | null)[]): FieldOutcome[] {
    return outcomesOf(rotateMany(this.#keyring.writableSnapshot().readableFernet, tokens, this.#hashing));
  }

  /**
   * As `encryptFields`, in slices of a few milliseconds between which everything else in this thread has its turn. All
   * are encrypted under the key that was the primary when the call began. @throws as `encryptFields`
   */
  async encryptFieldsAsync(values: readonly (string | null)[]): Promise<(string | null)[]> {
    const { fernet } = this.#keyring.writableSnapshot().primary;
    return allOrThrow(await inTurns(inSlices(values, (slice) => encryptMany(fernet, slice, this.#hashing))));
  }

  /** As `decryptFields`, in slices as `encryptFieldsAsync`. @throws as `decryptFields` */
  async decryptFieldsAsync(tokens: readonly (string | null)[]): Promise<(string | null)[]> {
    const { readableFernet } = this.#keyring.snapshot();
    return allOrThrow(await inTurns(inSlices(tokens, (slice) => decryptMany(readableFernet, slice, this.#hashing))));
  }
}
