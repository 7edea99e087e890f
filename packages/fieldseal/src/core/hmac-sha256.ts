/** HMAC-SHA256 (RFC 2104) for one key and many messages, from two one-shot hashes. */
import { hash } from 'node:crypto';

/** SHA-256 works on blocks of this size; the padded key fills one. */
export const HMAC_BLOCK_BYTES = 64;
export const HMAC_BYTES = 32;
const ZEROS = Buffer.alloc(HMAC_BLOCK_BYTES);
/** Longer messages get memory of their own. */
const SHORT_BYTES = 1024;
/** Where short messages are hashed, since new memory costs more than the hash. Of this thread alone, and erased after each. */
const scratch = Buffer.allocUnsafeSlow(HMAC_BLOCK_BYTES + SHORT_BYTES);

/**
 * An HMAC whose key is padded once. Two `crypto.hash` calls cost less than half of one `createHmac`, and a latin1
 * result less than a Buffer one. Its readable twin is `createHmac`, which the tests hold beside it.
 */
export class HmacSha256 {
  readonly #innerPad: Buffer;
  /** `key ⊕ opad ‖ inner hash`, in memory of its own; the last 32 bytes are scratch. */
  readonly #outer: Buffer;

  /** @param key at most 64 bytes (longer keys would have to be hashed first; none here are) */
  constructor(key: Uint8Array) {
    if (key.length > HMAC_BLOCK_BYTES) throw new RangeError('an HMAC key here has at most 64 bytes');
    this.#innerPad = Buffer.allocUnsafeSlow(HMAC_BLOCK_BYTES).fill(0x36);
    this.#outer = Buffer.allocUnsafeSlow(HMAC_BLOCK_BYTES + HMAC_BYTES).fill(0x5c);
    for (const [i, byte] of key.entries()) {
      this.#innerPad[i] = byte ^ 0x36;
      this.#outer[i] = byte ^ 0x5c;
    }
  }

  /** `key ⊕ ipad` and `key ⊕ opad`, a block each, for hmac-lanes.ts: not copies, and as secret as the key. */
  get keyBlocks(): { readonly inner: Buffer; readonly outer: Buffer } {
    return { inner: this.#innerPad, outer: this.#outer.subarray(0, HMAC_BLOCK_BYTES) };
  }

  /**
   * Computes the HMAC of `buffer[64 … end)` and writes its 32 bytes to `target` at `targetOffset`. The first 64 bytes
   * of `buffer` are this method's own: they receive the padded key, so that key and message lie side by side without
   * a copy of the message. They are erased before it returns.
   * @param hashed `buffer[0 … end)`, by whoever has that view already
   */
  writeTo(buffer: Buffer, end: number, target: Buffer, targetOffset: number, hashed = buffer.subarray(0, end)): void {
    this.#hashInner(buffer, hashed);
    target.write(hash('sha256', this.#outer, 'binary'), targetOffset, 'latin1');
  }

  /** The HMAC of one message, 32 bytes. It works on a copy of the message, which it erases. */
  of(message: Uint8Array): Buffer {
    return Buffer.from(this.hexOf(message), 'hex');
  }

  /** The same as 64 hex digits. */
  hexOf(message: Uint8Array): string {
    const end = HMAC_BLOCK_BYTES + message.length;
    const buffer = message.length <= SHORT_BYTES ? scratch : Buffer.allocUnsafeSlow(end);
    buffer.set(message, HMAC_BLOCK_BYTES);
    // Nothing that is called here can come back to this method, so that the scratch memory has one user at a time.
    this.#hashInner(buffer, buffer.subarray(0, end));
    buffer.fill(0, HMAC_BLOCK_BYTES, end);
    return hash('sha256', this.#outer, 'hex');
  }

  /** Completes the outer message: the padded key is there, behind it comes the hash of padded key and message. */
  #hashInner(buffer: Buffer, hashed: Buffer): void {
    this.#innerPad.copy(buffer, 0);
    const inner = hash('sha256', hashed, 'binary');
    ZEROS.copy(buffer, 0);
    this.#outer.write(inner, HMAC_BLOCK_BYTES, 'latin1');
  }
}

/**
 * HMAC-SHA256 (RFC 2104) of one message under a key of any length, 32 bytes. For what others have to compute as well, such as
 * the signature of a webhook; `KeyedHash` keeps uses of one key apart by itself.
 */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Buffer {
  const block = key.length > HMAC_BLOCK_BYTES ? hash('sha256', key, 'buffer') : key;
  return new HmacSha256(block).of(message);
}
