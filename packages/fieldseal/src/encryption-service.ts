/** Fields encrypted by hand, as the Python original's `encryption_service` did it. */
import { type BatchResult, type Hashing, hashingOf } from './core/batch.js';
import { decryptTextWith, encryptWith } from './core/fernet.js';
import { decryptMany, encryptMany, rotateMany } from './core/fernet-batch.js';
import { FERNET_KEY_BYTES } from './core/fernet-key.js';
import type { Secret } from './core/secret.js';
import { type ErrorCode, FieldsealError } from './errors.js';
import { stringCodec } from './fields/string-codec.js';
import type { Keyring } from './keys/keyring.js';
import type { KeyringSnapshot } from './keys/keyring-snapshot.js';
import type { ReadableKey } from './keys/readable-key.js';
import { keyringFromEnv } from './providers/env.js';
import type { Environment } from './providers/key-variables.js';
import { type BatchOrder, runBatchInSlices } from './threads/batch-run.js';
import { defaultThreads } from './threads/thread-pool.js';

const text = stringCodec(null);

/** How an {@link EncryptionService} works. */
export interface EncryptionServiceOptions {
  /**
   * How many threads `encryptFieldsAsync` and `decryptFieldsAsync` may have large batches worked on by: 0 for none, and
   * by default as many as there are processors, at most 4, or none where there is one. All services of a process share
   * them.
   */
  readonly workers?: number;
}

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

/** @throws FieldsealError with the code of the first failure, if there is one, and the places of all in `indexes` */
function assertNoneFailed(count: number, firstCode: ErrorCode | null, indexes: readonly number[]): void {
  if (firstCode === null) return;
  throw new FieldsealError(
    firstCode,
    `${indexes.length} of ${count} values failed; their indexes are in \`indexes\`.`,
    { indexes },
  );
}

function allOrThrow({ values, failures }: BatchResult): (string | null)[] {
  const indexes = failures.map(({ index }) => index);
  assertNoneFailed(values.length, failures[0]?.code ?? null, indexes);
  return values;
}

/** The bytes of field keys of a ring, one behind the other. */
function bytesOf(ring: KeyringSnapshot, keys: readonly ReadableKey[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FERNET_KEY_BYTES * keys.length);
  for (const [i, { version }] of keys.entries()) {
    // A key that reads has not been destroyed.
    bytes.set((ring.key(version).secret as Secret).reveal(), FERNET_KEY_BYTES * i);
  }
  return bytes;
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
  readonly #threads: number;

  /**
   * @param env where `FIELDSEAL_WASM=0` says that batches hash with node:crypto only, never in WebAssembly
   * @throws RangeError when `workers` is not a whole number from 0 on
   */
  constructor(keyring: Keyring, env: Environment = process.env, options: EncryptionServiceOptions = {}) {
    const { workers = defaultThreads() } = options;
    if (!Number.isSafeInteger(workers) || workers < 0) throw new RangeError('workers is a whole number from 0 on');
    this.#keyring = keyring;
    this.#hashing = hashingOf(env);
    this.#threads = workers;
  }

  /**
   * A service on `ENCRYPTION_KEY` and `ENCRYPTION_KEY_PREVIOUS`; see {@link keyringFromEnv}.
   * @throws FieldsealError `ERR_KEY_MISSING`, `ERR_KEY_MALFORMED`, `ERR_KEY_FILE`, `ERR_CONFIG_INVALID`
   */
  static fromEnv(env: Environment = process.env, options: EncryptionServiceOptions = {}): EncryptionService {
    return new EncryptionService(keyringFromEnv(env), env, options);
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
   * As `encryptFields`, in slices between which everything else in this thread has its turn. The values and the key are
   * those that were there when the call began. A batch of more than 8,000 values, or 2 Mi characters, is worked on by
   * other threads of this process ({@link EncryptionServiceOptions.workers}), and this one hands out and takes back;
   * until they are ready, where none can be started, and where one is lost, it does the work itself. The others get keys
   * and values slice by slice, in memory that is erased after use; what JavaScript cannot erase, such as strings, goes
   * with the thread, 5 seconds after the last batch. On Linux they are ten steps nicer than the rest of the process.
   *
   * A slice takes this thread one or two milliseconds. What cannot be cut up comes on top: one value by itself (3 ms for
   * each MiB of it, and 10 ms where this thread does the work), the copy of the array (5 ms for a million values), and
   * the garbage collector: 10 to 20 ms at a time, with two busy processors, while so many strings are made.
   * @throws as `encryptFields`
   */
  async encryptFieldsAsync(values: readonly (string | null)[]): Promise<(string | null)[]> {
    const ring = this.#keyring.writableSnapshot();
    return this.#inSlices('encrypt', ring, [ring.primary], values);
  }

  /** As `decryptFields`, in slices as `encryptFieldsAsync`. @throws as `decryptFields` */
  async decryptFieldsAsync(tokens: readonly (string | null)[]): Promise<(string | null)[]> {
    const ring = this.#keyring.snapshot();
    return this.#inSlices('decrypt', ring, ring.readable, tokens);
  }

  async #inSlices(
    kind: BatchOrder['kind'],
    ring: KeyringSnapshot,
    keys: readonly ReadableKey[],
    given: readonly (string | null)[],
  ): Promise<(string | null)[]> {
    const order: BatchOrder = {
      kind,
      keys: keys.map(({ fernet }) => fernet),
      copyKeyBytes: () => bytesOf(ring, keys),
      hashing: this.#hashing,
      threads: this.#threads,
    };
    const { values, firstCode, failedIndexes } = await runBatchInSlices(order, given);
    assertNoneFailed(values.length, firstCode, failedIndexes);
    return values;
  }
}
