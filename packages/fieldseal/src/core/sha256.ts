/** SHA-256 (FIPS 180-4): of one message, and of data that comes in pieces. */
import { createHash, type Hash, hash } from 'node:crypto';

/** The digest of one message, 32 bytes. */
export function sha256(message: Uint8Array): Buffer {
  return hash('sha256', message, 'buffer');
}

/** One digest in the making. */
export class Sha256 {
  readonly #hash: Hash = createHash('sha256');

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  /** The digest as 64 hex digits; called once, at the end. */
  hex(): string {
    return this.#hash.digest('hex');
  }
}
