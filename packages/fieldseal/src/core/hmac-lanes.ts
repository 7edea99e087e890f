/**
 * HMAC-SHA256 of four messages at once, in WebAssembly (`wasm/sha256-lanes.ts` is its source): for batches, in which a
 * call of node:crypto costs more than the hash of a short message. It is the one primitive that is our own, and so it
 * is used only where it can be told apart from a wrong one: it has to agree with node:crypto whenever it is loaded,
 * else it is not used; nor is it where only a validated module may hash (FIPS).
 *
 * Four lanes do the same steps whatever the messages are: there is no branch and no address that depends on them.
 */
import { randomBytes } from 'node:crypto';
import { HMAC_BLOCK_BYTES, HMAC_BYTES, HmacSha256 } from './hmac-sha256.js';
import { SHA256_LANES_BASE64 } from './sha256-lanes-bytes.js';

/** Where things stand in the module's memory; wasm/sha256-lanes.ts draws it. */
export const STATE_AT = 256;
export const INNER_AT = 640;
export const OUTER_AT = 768;
const KEY_BLOCK_AT = 896;
/** From here on the memory, 192 KiB in all, is the caller's. */
export const FREE_AT = 1024;
const STATE_BYTES = 128;

/** FIPS 180-4 §5.3.3. */
const INITIAL_STATE = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
] as const;

/** What the module exports; all arguments are addresses in its memory, but for `blocks`. */
interface LanesExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  absorb(p0: number, p1: number, p2: number, p3: number, blocks: number): void;
  hmac: HmacOfFour;
}

/** Writes the HMACs of four padded messages at p0 … p3, of as many blocks each, to out0 … out3. */
export type HmacOfFour = (
  p0: number,
  p1: number,
  p2: number,
  p3: number,
  blocks: number,
  out0: number,
  out1: number,
  out2: number,
  out3: number,
) => void;

/** As much of the global of that name as is used here; the types of Node leave it to those of browsers. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** How many blocks of SHA-256 a message of so many bytes fills with its padding. */
export function paddedBlocks(messageBytes: number): number {
  return Math.ceil((messageBytes + 9) / HMAC_BLOCK_BYTES);
}

/** One instance of the module with its memory. */
export class HmacLanes {
  readonly memory: Buffer;
  readonly #exports: LanesExports;

  private constructor(exports: LanesExports) {
    this.#exports = exports;
    this.memory = Buffer.from(exports.memory.buffer);
  }

  /** Null where this Node has no such WebAssembly, or where what comes out is not what node:crypto says. */
  static open(): HmacLanes | null {
    let lanes: HmacLanes;
    try {
      const module = new WebAssembly.Module(Buffer.from(SHA256_LANES_BASE64, 'base64'));
      lanes = new HmacLanes(new WebAssembly.Instance(module).exports as LanesExports);
    } catch {
      return null;
    }
    return lanes.#agreesWithNode() ? lanes : null;
  }

  /** Runs `work` with the lanes set to that key, and erases what of the key is in the memory. */
  withKey(hmac: HmacSha256, work: (hmacOfFour: HmacOfFour) => void): void {
    const { inner, outer } = hmac.keyBlocks;
    try {
      this.#hashKeyBlock(inner, INNER_AT);
      this.#hashKeyBlock(outer, OUTER_AT);
      work(this.#exports.hmac);
    } finally {
      this.memory.fill(0, STATE_AT, FREE_AT);
    }
  }

  /**
   * Writes SHA-256's padding behind the message in `memory[at … at + messageBytes)`, which stands behind a key's block.
   */
  pad(at: number, messageBytes: number): void {
    const end = at + HMAC_BLOCK_BYTES * paddedBlocks(messageBytes);
    this.memory[at + messageBytes] = 0x80;
    this.memory.fill(0, at + messageBytes + 1, end - 4);
    this.memory.writeUInt32BE((HMAC_BLOCK_BYTES + messageBytes) * 8, end - 4);
  }

  #hashKeyBlock(block: Buffer, toAt: number): void {
    for (const [i, word] of INITIAL_STATE.entries()) {
      for (let lane = 0; lane < 4; lane++) this.memory.writeUInt32LE(word, STATE_AT + 16 * i + 4 * lane);
    }
    block.copy(this.memory, KEY_BLOCK_AT);
    this.#exports.absorb(KEY_BLOCK_AT, KEY_BLOCK_AT, KEY_BLOCK_AT, KEY_BLOCK_AT, 1);
    this.memory.copy(this.memory, toAt, STATE_AT, STATE_AT + STATE_BYTES);
  }

  /**
   * Whether four random messages, of each of the lengths at which something changes, have the HMACs that node:crypto
   * makes.
   */
  #agreesWithNode(): boolean {
    const hmac = new HmacSha256(randomBytes(16));
    const expected = Buffer.alloc(4 * HMAC_BYTES);
    const macsAt = FREE_AT + 4 * 1024;
    let agrees = true;
    for (const length of [0, 1, 41, 54, 55, 56, 63, 64, 119, 120, 137, 1000]) {
      const at = [0, 1, 2, 3].map((lane) => FREE_AT + 1024 * lane) as [number, number, number, number];
      for (const [lane, from] of at.entries()) {
        const message = Buffer.concat([Buffer.alloc(HMAC_BLOCK_BYTES), randomBytes(length)]);
        hmac.writeTo(message, message.length, expected, HMAC_BYTES * lane);
        message.copy(this.memory, from, HMAC_BLOCK_BYTES);
        this.pad(from, length);
      }
      const out = [0, 1, 2, 3].map((lane) => macsAt + HMAC_BYTES * lane) as [number, number, number, number];
      this.withKey(hmac, (hmacOfFour) => hmacOfFour(...at, paddedBlocks(length), ...out));
      agrees &&= this.memory.subarray(macsAt, macsAt + expected.length).equals(expected);
    }
    return agrees;
  }
}
