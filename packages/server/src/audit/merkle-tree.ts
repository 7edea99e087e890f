/**
 * The hashes of an RFC 6962 Merkle tree (§2.1), and which of them a root or a proof is made of.
 *
 *     leaf hash = SHA-256(0x00 ‖ leaf)            node hash = SHA-256(0x01 ‖ left ‖ right)
 *     level 0 are the leaves; node (level, index) covers the leaves [index × 2^level, (index + 1) × 2^level)
 *
 * Only complete nodes, those whose every leaf is there, are ever kept: they never change again. Indices and sizes stay
 * below 2^53, so nothing here uses 32-bit operators on them.
 */
import { sha256 } from 'fieldseal';

export const HASH_BYTES = 32;
const LEAF = Buffer.of(0x00);
const NODE = Buffer.of(0x01);

/** Where a complete node is. */
export interface NodePlace {
  readonly level: number;
  readonly index: number;
}

/** A complete node. */
export interface TreeNode extends NodePlace {
  readonly hash: Buffer;
}

/** The leaves [begin, end). */
export interface LeafRange {
  readonly begin: number;
  readonly end: number;
}

/** The hash of a leaf's bytes. */
export function leafHash(leaf: Uint8Array): Buffer {
  return sha256(Buffer.concat([LEAF, leaf]));
}

/** The hash of the node over two others. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return sha256(Buffer.concat([NODE, left, right]));
}

/** The root over the hashes of adjoining complete nodes, left to right; of none, the hash of nothing. */
export function rootOf(hashes: readonly Buffer[]): Buffer {
  let root = hashes.at(-1);
  if (!root) return sha256(Buffer.alloc(0));
  for (let at = hashes.length - 2; at >= 0; at--) root = nodeHash(hashes[at] as Buffer, root);
  return root;
}

/** The largest power of two that is at most `n`, and its exponent; `n` is at least 1. */
function powerUpTo(n: number): { readonly power: number; readonly exponent: number } {
  let power = 1;
  let exponent = 0;
  for (; power * 2 <= n; exponent++) power *= 2;
  return { power, exponent };
}

/** Where a tree over n > 1 leaves is split: the largest power of two below n (RFC 6962 §2.1). */
function splitOf(n: number): number {
  const { power } = powerUpTo(n);
  return power === n ? n / 2 : power;
}

/** The complete nodes that a range falls into, left to right. It begins where a subtree of the tree begins. */
export function nodesOf({ begin, end }: LeafRange): NodePlace[] {
  const nodes: NodePlace[] = [];
  for (let at = begin; at < end; ) {
    const { power, exponent } = powerUpTo(end - at);
    nodes.push({ level: exponent, index: at / power });
    at += power;
  }
  return nodes;
}

/** The ranges whose roots prove that leaf `index` is in the tree of `size` leaves, in the proof's order (§2.1.1). */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  const ranges: LeafRange[] = [];
  let begin = 0;
  let end = size;
  while (end - begin > 1) {
    const split = begin + splitOf(end - begin);
    if (index < split) {
      ranges.push({ begin: split, end });
      end = split;
    } else {
      ranges.push({ begin, end: split });
      begin = split;
    }
  }
  return ranges.reverse();
}

/** The ranges whose roots prove that the tree of `from` leaves is how the one of `to` leaves began (§2.1.2). */
export function consistencyRanges(from: number, to: number): LeafRange[] {
  if (from === 0) return [];
  const ranges: LeafRange[] = [];
  let begin = 0;
  let end = to;
  while (from < end) {
    const split = begin + splitOf(end - begin);
    if (from <= split) {
      ranges.push({ begin: split, end });
      end = split;
    } else {
      ranges.push({ begin, end: split });
      begin = split;
    }
  }
  // The old tree's own root is known to whoever checks; a part of it is not.
  if (begin > 0) ranges.push({ begin, end });
  return ranges.reverse();
}

/** Grows a tree leaf by leaf, holding one hash for each bit of its size. */
export class GrowingTree {
  #size: number;
  /** Of the complete nodes that the tree falls into, left to right. */
  readonly #hashes: Buffer[];

  /** @param hashes those of `nodesOf({ begin: 0, end: size })` */
  constructor(size = 0, hashes: readonly Buffer[] = []) {
    this.#size = size;
    this.#hashes = [...hashes];
  }

  get size(): number {
    return this.#size;
  }

  root(): Buffer {
    return rootOf(this.#hashes);
  }

  /** Adds a leaf and returns the nodes above it that it completes, lowest first. */
  append(hash: Buffer): TreeNode[] {
    const completed: TreeNode[] = [];
    let level = 0;
    let index = this.#size;
    let top = hash;
    while (index % 2 === 1) {
      top = nodeHash(this.#hashes.pop() as Buffer, top);
      level += 1;
      index = (index - 1) / 2;
      completed.push({ level, index, hash: top });
    }
    this.#hashes.push(top);
    this.#size += 1;
    return completed;
  }
}
