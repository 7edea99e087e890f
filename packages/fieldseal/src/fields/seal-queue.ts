/** Values that are encrypted together: each is put into the queue, and has its token when the queue was run. */
import { decodeBase64UrlStrict } from '../core/base64url.js';
import { type Plaintext, sealMany } from '../core/fernet-batch.js';
import type { ReadableKey } from '../keys/readable-key.js';
import type { Storage, Stored } from './scheme.js';

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
    return this.#storage === 'text' ? this.token : (decodeBase64UrlStrict(this.token) as Buffer);
  }
}

/** For one batch under one key. A scheme that gains nothing by waiting encrypts at once. */
export class SealQueue {
  readonly key: ReadableKey;
  readonly #plaintexts: Plaintext[] = [];
  readonly #waiting: Waiting[] = [];

  constructor(key: ReadableKey) {
    this.key = key;
  }

  /** Puts in what a Fernet token is to be made of. */
  add(plaintext: Plaintext, storage: Storage): Sealed {
    const waiting = new Waiting(storage);
    this.#plaintexts.push(plaintext);
    this.#waiting.push(waiting);
    return waiting;
  }

  /** Encrypts everything that waits; the queue is empty afterwards. */
  run(): void {
    const plaintexts = this.#plaintexts.splice(0);
    const waiting = this.#waiting.splice(0);
    const tokens = sealMany(this.key.fernet, plaintexts);
    for (const [i, one] of waiting.entries()) one.token = tokens[i] as string;
  }
}
