/** Values that are encrypted together: each is put into the queue, and has its token when the queue was run. */
import { decodeBase64UrlStrict } from '../core/base64url.js';
import { type Plaintext, sealMany } from '../core/fernet-batch.js';
import { assertWellFormed } from '../core/utf8.js';
import type { ReadableKey } from '../keys/readable-key.js';
import type { Storage, Stored } from './scheme.js';

/** The text of a token as a column keeps it. */
export function inStorage(token: string, storage: Storage): Stored {
  return storage === 'text' ? token : (decodeBase64UrlStrict(token) as Buffer);
}

/** A value on its way into the database. */
export interface Sealed {
  /** As it is to be stored. @throws TypeError before the queue was run */
  readonly stored: Stored;
}

class Waiting implements Sealed {
  readonly #storage: Storage;
  token: string | null = null;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  get stored(): Stored {
    if (this.token === null) throw new TypeError('the queue was not run yet');
    return inStorage(this.token, this.#storage);
  }
}

/** For one batch under one key. A scheme that gains nothing by waiting encrypts at once. */
export class SealQueue {
  readonly key: ReadableKey;
  readonly #plaintexts: Plaintext[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #copies: Uint8Array[] = [];

  constructor(key: ReadableKey) {
    this.key = key;
  }

  /**
   * Puts in what a codec made, for a Fernet token of the time of now. Bytes are copied: until the queue is run, the codec
   * may use their memory for the next value.
   * @throws FieldsealError `ERR_VALUE_NOT_TEXT` for a lone surrogate; TypeError for neither text nor bytes
   */
  add(data: string | Uint8Array, storage: Storage): Sealed {
    if (typeof data === 'string') {
      assertWellFormed(data);
      return this.#wait({ data, seconds: null }, storage);
    }
    if (!(data instanceof Uint8Array)) throw new TypeError('encrypt takes a string or a Uint8Array');
    const copy = new Uint8Array(data);
    this.#copies.push(copy);
    return this.#wait({ data: copy, seconds: null }, storage);
  }

  /** Puts in decrypted bytes, which stay as they are, for a Fernet token of the given time. */
  addAgain(bytes: Buffer, seconds: Plaintext['seconds'], storage: Storage): Sealed {
    return this.#wait({ data: bytes, seconds }, storage);
  }

  /** Encrypts everything that waits; the queue is empty afterwards. */
  run(): void {
    const plaintexts = this.#plaintexts.splice(0);
    const waiting = this.#waiting.splice(0);
    try {
      const tokens = sealMany(this.key.fernet, plaintexts);
      for (const [i, one] of waiting.entries()) one.token = tokens[i] as string;
    } finally {
      for (const copy of this.#copies.splice(0)) copy.fill(0);
    }
  }

  #wait(plaintext: Plaintext, storage: Storage): Sealed {
    const waiting = new Waiting(storage);
    this.#plaintexts.push(plaintext);
    this.#waiting.push(waiting);
    return waiting;
  }
}
