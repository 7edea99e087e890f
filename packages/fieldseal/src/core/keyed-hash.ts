/**
 * Hashing under a key of the ring, for values that are looked up or guarded and never decrypted.
 *
 *     key  = HKDF-SHA256(key version 32, salt "fieldseal/keyed-hash/v1", info label, 32)
 *     hash = hex of HMAC-SHA256(key, LP(label, part, part, …))
 */
import { deriveKey } from './derive-key.js';
import { HmacSha256 } from './hmac-sha256.js';
import { lengthPrefixed } from './length-prefix.js';
import type { Secret } from './secret.js';
import { timingSafeEqualHex } from './timing-safe-equal-hex.js';

/** One use of one key. Another label is another hash: what it says of a value tells nothing about this one's. */
export class KeyedHash {
  readonly #label: string;
  readonly #hmac: HmacSha256;

  constructor(secret: Secret, label: string) {
    this.#label = label;
    const key = deriveKey(secret.reveal(), 'fieldseal/keyed-hash/v1', label, 32);
    this.#hmac = new HmacSha256(key);
    key.fill(0);
  }

  /** 64 hex digits over the list of parts; two different lists have different hashes. */
  hash(...parts: readonly (string | Uint8Array)[]): string {
    const message = lengthPrefixed(this.#label, ...parts);
    const hex = this.#hmac.hexOf(message);
    message.fill(0);
    return hex;
  }

  /** Whether `hash` is the parts' hash; constant time. */
  matches(hash: string, ...parts: readonly (string | Uint8Array)[]): boolean {
    return timingSafeEqualHex(hash, this.hash(...parts));
  }
}
