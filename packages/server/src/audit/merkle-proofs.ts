/** Checks proofs of a Merkle tree as somebody does who has none of its leaves (RFC 9162 §2.1.3.2 and §2.1.4.2). */
import { nodeHash } from './merkle-tree.js';

const half = (n: number) => Math.floor(n / 2);
const isOdd = (n: number) => n % 2 === 1;

/** Whether `proof` shows the leaf of hash `leaf` at `index` in the tree of `size` leaves and this root. */
export function provesInclusion(
  leaf: Buffer,
  index: number,
  size: number,
  proof: readonly Buffer[],
  root: Buffer,
): boolean {
  if (index >= size) return false;
  let at = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else hash = nodeHash(hash, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && hash.equals(root);
}

/** One end of a consistency proof. */
export interface TreeHead {
  readonly size: number;
  readonly root: Buffer;
}

/** Whether `proof` shows that the tree of `from` is how the tree of `to` began. */
export function provesConsistency(from: TreeHead, to: TreeHead, proof: readonly Buffer[]): boolean {
  if (from.size > to.size) return false;
  if (from.size === to.size) return proof.length === 0 && from.root.equals(to.root);
  if (from.size === 0) return proof.length === 0;
  let at = from.size - 1;
  let last = to.size - 1;
  while (isOdd(at)) [at, last] = [half(at), half(last)];
  // The old tree is a complete node when its size is a power of two: then its root is left out of the proof.
  const [first, ...rest] = at === 0 ? [from.root, ...proof] : proof;
  if (!first) return false;
  let older = first;
  let newer = first;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      older = nodeHash(sibling, older);
      newer = nodeHash(sibling, newer);
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else newer = nodeHash(newer, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && older.equals(from.root) && newer.equals(to.root);
}
