/** Secret bytes that do not end up in a log by accident. */
import { randomFillSync, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import { ownCopy } from './own-copy.js';

const REDACTED = '[Secret]';

/**
 * Bytes in memory of their own (never in Node's shared 8 KiB pool) that no printing shows: `toString`, `toJSON`,
 * `util.inspect` and template strings all say `[Secret]`. JavaScript cannot promise that no other copy exists: this
 * guards against accidents, not against code that runs in the process.
 */
export class Secret {
  readonly #bytes: Buffer;
  #disposed = false;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Copies `bytes`; the caller's own copy stays the caller's to erase. */
  static from(bytes: Uint8Array): Secret {
    return new Secret(ownCopy(bytes));
  }

  /** `length` bytes of the CSPRNG. */
  static random(length: number): Secret {
    return new Secret(randomFillSync(Buffer.allocUnsafeSlow(length)));
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** The bytes themselves, not a copy: do not change, keep or print them. @throws TypeError after `dispose()` */
  reveal(): Buffer {
    if (this.#disposed) throw new TypeError('the secret was disposed of');
    return this.#bytes;
  }

  /** Compares in constant time (the lengths are not secret). */
  equals(other: Secret): boolean {
    return this.length === other.length && timingSafeEqual(this.reveal(), other.reveal());
  }

  /** Overwrites the bytes with zeros; `reveal` throws from then on. */
  dispose(): void {
    this.#bytes.fill(0);
    this.#disposed = true;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
