/**
 * A part of a batch, laid out in one piece of memory so that each step is one call or one loop over all of its tokens.
 *
 *     slots    one a token, in steps of 64 bytes:  header 9 ‖ iv16 ‖ ciphertext ‖ MAC 32 (or the padding of SHA-256)
 *     staged   the same tokens' blocks, without a gap:  [iv16 or 16 random bytes][ciphertext or padded plaintext] …
 *     macs     32 bytes a token, as the key makes them;  given  as the tokens bring them
 *
 * Slots and staged blocks are only ever reached by their own offsets and lengths, and everything in them is written
 * before it is read: what a token before left there is never looked at. Plaintext stands in `staged` alone, until the
 * ciphertext, as long as it, is put over it; after an error the chunk is erased. (`copyWithin` is used because a copy
 * between buffers costs three times as much for so few bytes.)
 */
import { timingSafeEqual } from 'node:crypto';
import { HEADER_BYTES, hashedPart, tokenBuffer, tokenText, VERSION_AT } from './fernet-token.js';
import { FREE_AT, type HmacLanes, type HmacOfFour, paddedBlocks } from './hmac-lanes.js';
import { HMAC_BYTES, type HmacSha256 } from './hmac-sha256.js';

/** Small enough for a processor's second cache, large enough that the calls for a chunk no longer count. */
const ARENA_BYTES = 64 * 1024;
const SLOT_STEP_BYTES = 64;
/** A token of the empty string takes two steps. */
const MAX_TOKENS = ARENA_BYTES / (2 * SLOT_STEP_BYTES);
/** A larger token goes the way of a single one, which costs it no more. */
export const MAX_CHUNKED_TOKEN_BYTES = 4096;

const STAGED_AT = FREE_AT + ARENA_BYTES;
const MACS_AT = STAGED_AT + ARENA_BYTES;
const MACS_BYTES = MAX_TOKENS * HMAC_BYTES;
const GIVEN_AT = MACS_AT + MACS_BYTES;
const MEMORY_BYTES = GIVEN_AT + MACS_BYTES;
/** So many MACs are compared at once where not all of a chunk agree. */
const GROUP_TOKENS = 16;
/** Setting the lanes to a key costs as much as two single HMACs. */
const MIN_FOR_LANES = 6;
/** From about here on a processor's own SHA-256 instructions win. */
const MAX_LANE_BLOCKS = 16;

/** Room for the tokens of one chunk; used again for the next. */
export class FernetChunk {
  /** Slots and all; offsets of slots are offsets in it. */
  readonly memory: Buffer;
  readonly staged: Buffer;
  readonly #lanes: HmacLanes | null;
  readonly #slots = new Int32Array(MAX_TOKENS);
  readonly #blockBytes = new Int32Array(MAX_TOKENS);
  readonly #indexes = new Int32Array(MAX_TOKENS);
  #slotEnd = FREE_AT;
  #stagedEnd = 0;
  #count = 0;

  /** @param lanes with them, everything lies in their memory */
  constructor(lanes: HmacLanes | null) {
    this.#lanes = lanes;
    this.memory = lanes?.memory ?? Buffer.alloc(MEMORY_BYTES);
    this.staged = this.memory.subarray(STAGED_AT, STAGED_AT + ARENA_BYTES);
  }

  /** How many tokens it holds. */
  get count(): number {
    return this.#count;
  }

  /** Where the staged blocks end. */
  get stagedEnd(): number {
    return this.#stagedEnd;
  }

  /** Where the slot that comes next begins. */
  get nextSlot(): number {
    return this.#slotEnd;
  }

  /** Whether a token of so many bytes has room. */
  hasRoomFor(tokenBytes: number): boolean {
    return this.#count < MAX_TOKENS && this.#slotEnd + tokenBytes + SLOT_STEP_BYTES <= STAGED_AT;
  }

  /**
   * Takes in the token in the next slot, whose header, IV and ciphertext are there or will come.
   * @param index its place in the batch
   * @param blockBytes the bytes of IV and ciphertext
   */
  add(index: number, blockBytes: number): void {
    const position = this.#count++;
    this.#indexes[position] = index;
    this.#slots[position] = this.#slotEnd;
    this.#blockBytes[position] = blockBytes;
    this.#stagedEnd += blockBytes;
    const tokenBytes = HEADER_BYTES + blockBytes + HMAC_BYTES;
    this.#slotEnd += Math.ceil(tokenBytes / SLOT_STEP_BYTES) * SLOT_STEP_BYTES;
  }

  /** Forgets the tokens, for the next chunk. */
  clear(): void {
    this.#count = 0;
    this.#slotEnd = FREE_AT;
    this.#stagedEnd = 0;
  }

  /** The place in the batch of the token at `position`. */
  indexAt(position: number): number {
    return this.#indexes[position] as number;
  }

  slotAt(position: number): number {
    return this.#slots[position] as number;
  }

  /** The bytes of IV and ciphertext of the token at `position`. */
  blockBytesAt(position: number): number {
    return this.#blockBytes[position] as number;
  }

  /** Where the MAC of the token at `position` belongs in its slot: where what it signs ends. */
  macAt(position: number): number {
    return this.slotAt(position) + HEADER_BYTES + this.blockBytesAt(position);
  }

  /** Keeps the MAC that the token at `position` brings, out of its slot. */
  keepGivenMac(position: number): void {
    const at = this.macAt(position);
    this.memory.copyWithin(GIVEN_AT + position * HMAC_BYTES, at, at + HMAC_BYTES);
  }

  /**
   * Those of `positions` whose given MAC is the key's, and the others. Constant time: only which token is authentic
   * can be told, and that the caller tells anyway.
   */
  authenticate(
    hmac: HmacSha256,
    positions: readonly number[],
  ): { authentic: readonly number[]; others: readonly number[] } {
    this.#computeMacs(hmac, positions, (position) => MACS_AT + position * HMAC_BYTES);
    const isWhole = positions.length === this.#count;
    // Mostly all are, and then one comparison says so; if not, most groups need one still.
    if (isWhole && this.#macsAgree(0, this.#count)) return { authentic: positions, others: [] };
    const [authentic, others]: [number[], number[]] = [[], []];
    for (let at = 0; at < positions.length; at += GROUP_TOKENS) {
      const group = positions.slice(at, at + GROUP_TOKENS);
      if (isWhole && this.#macsAgree(at, at + group.length)) authentic.push(...group);
      else for (const position of group) (this.#macsAgree(position, position + 1) ? authentic : others).push(position);
    }
    return { authentic, others };
  }

  /** Puts the MACs of the tokens at `positions` where they belong. */
  sign(hmac: HmacSha256, positions: readonly number[]): void {
    this.#computeMacs(hmac, positions, (position) => this.macAt(position));
  }

  #macsAgree(from: number, to: number): boolean {
    const [macs, given] = [MACS_AT, GIVEN_AT].map((at) =>
      this.memory.subarray(at + from * HMAC_BYTES, at + to * HMAC_BYTES),
    ) as [Buffer, Buffer];
    return timingSafeEqual(macs, given);
  }

  /** Computes the MACs of the tokens at `positions` over what is in their slots, to where `macTo` says. */
  #computeMacs(hmac: HmacSha256, positions: readonly number[], macTo: (position: number) => number): void {
    const lanes = this.#lanes;
    if (!lanes || positions.length < MIN_FOR_LANES) {
      for (const position of positions) this.#computeMac(hmac, position, macTo);
      return;
    }
    // Messages of as many blocks go together; one alone, or a long one, costs less with node:crypto.
    const alike: number[][] = [];
    for (const position of positions) {
      const blocks = paddedBlocks(this.macAt(position) - this.slotAt(position));
      if (blocks > MAX_LANE_BLOCKS) this.#computeMac(hmac, position, macTo);
      else {
        alike[blocks] ??= [];
        alike[blocks].push(position);
      }
    }
    lanes.withKey(hmac, (hmacOfFour) => {
      for (const [blocks, group] of alike.entries()) {
        if (group) this.#computeAlike(hmac, lanes, hmacOfFour, blocks, group, macTo);
      }
    });
  }

  #computeAlike(
    hmac: HmacSha256,
    lanes: HmacLanes,
    hmacOfFour: HmacOfFour,
    blocks: number,
    group: readonly number[],
    macTo: (position: number) => number,
  ): void {
    const last = group.length - 1;
    for (let i = 0; i <= last; i += 4) {
      const a = group[i] as number;
      if (i === last) {
        this.#computeMac(hmac, a, macTo);
        return;
      }
      // Lanes that are left over do the last one's work once more.
      const b = group[i + 1] as number;
      const c = group[Math.min(i + 2, last)] as number;
      const d = group[Math.min(i + 3, last)] as number;
      const [atA, atB, atC, atD] = [this.slotAt(a), this.slotAt(b), this.slotAt(c), this.slotAt(d)];
      lanes.pad(atA, this.macAt(a) - atA);
      lanes.pad(atB, this.macAt(b) - atB);
      lanes.pad(atC, this.macAt(c) - atC);
      lanes.pad(atD, this.macAt(d) - atD);
      hmacOfFour(atA, atB, atC, atD, blocks, macTo(a), macTo(b), macTo(c), macTo(d));
    }
  }

  #computeMac(hmac: HmacSha256, position: number, macTo: (position: number) => number): void {
    const [from, to] = [this.slotAt(position), this.macAt(position)];
    const buffer = tokenBuffer(to - from);
    const end = VERSION_AT + to - from;
    this.memory.copy(buffer, VERSION_AT, from, to);
    hmac.writeTo(buffer, end, this.memory, macTo(position), hashedPart(buffer, end));
  }

  /** The text of the token at `position`, which is signed. */
  textAt(position: number): string {
    return tokenText(this.memory, this.macAt(position) + HMAC_BYTES, this.slotAt(position));
  }

  /**
   * Copies the blocks of `positions` from their slots, without a gap, to the beginning of `staged`. @returns their end
   */
  stage(positions: readonly number[]): number {
    let end = STAGED_AT;
    for (const position of positions) {
      const from = this.slotAt(position) + HEADER_BYTES;
      const length = this.blockBytesAt(position);
      this.memory.copyWithin(end, from, from + length);
      end += length;
    }
    return end - STAGED_AT;
  }

  /** Copies encrypted blocks that stand without a gap in `blocks`, those of `positions` in turn, into their slots. */
  unstage(blocks: Buffer, positions: readonly number[]): void {
    blocks.copy(this.staged);
    let at = STAGED_AT;
    for (const position of positions) {
      const length = this.blockBytesAt(position);
      this.memory.copyWithin(this.slotAt(position) + HEADER_BYTES, at, at + length);
      at += length;
    }
  }

  /** Erases everything that may be secret. */
  erase(): void {
    this.clear();
    this.staged.fill(0);
  }
}
