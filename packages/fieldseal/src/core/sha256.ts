/** SHA-256 (FIPS 180-4) of data that comes in pieces, for file digests. */
import { createHash, type Hash } from 'node:crypto';

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
