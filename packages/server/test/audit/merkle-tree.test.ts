import fc from 'fast-check';
import { sha256 } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { provesConsistency, provesInclusion } from '../../src/audit/merkle-proofs.js';
import {
  consistencyRanges,
  GrowingTree,
  inclusionRanges,
  leafHash,
  nodeHash,
  nodesOf,
  rootOf,
} from '../../src/audit/merkle-tree.js';

/** The test tree of Certificate Transparency (google/certificate-transparency, merkletree/merkle_tree_test.cc). */
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const ctLeaves = LEAVES.map((leaf) => leafHash(Buffer.from(leaf, 'hex')));

/** RFC 6962 §2.1, word for word. */
function slowRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256(Buffer.alloc(0));
  if (leaves.length === 1) return leaves[0] as Buffer;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(slowRoot(leaves.slice(0, split)), slowRoot(leaves.slice(split)));
}
const rangesOf = (leaves: readonly Buffer[], ranges: readonly { begin: number; end: number }[]) =>
  ranges.map(({ begin, end }) => slowRoot(leaves.slice(begin, end)));
const hexOf = (hashes: readonly Buffer[]) => hashes.map((hash) => hash.toString('hex'));
const leavesOf = (count: number) => Array.from({ length: count }, (_, at) => leafHash(Buffer.from(String(at))));

describe('the tree of RFC 6962', () => {
  it('has the known roots', () => {
    const tree = new GrowingTree();
    const roots = [tree.root()];
    for (const leaf of ctLeaves) {
      tree.append(leaf);
      roots.push(tree.root());
    }
    expect(hexOf(roots)).toEqual(ROOTS);
  });

  it('has the known proofs', () => {
    expect(hexOf(rangesOf(ctLeaves, inclusionRanges(0, 8)))).toEqual([
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ]);
    expect(hexOf(rangesOf(ctLeaves, consistencyRanges(6, 8)))).toEqual([
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ]);
  });

  it('grows to the root of the definition, and keeps every complete node', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 300 }), (first, more) => {
        const leaves = leavesOf(first + more);
        const nodes = new Map<string, Buffer>();
        const keep = (tree: GrowingTree, from: number, to: number) => {
          for (const hash of leaves.slice(from, to)) {
            nodes.set(`0/${tree.size}`, hash);
            for (const node of tree.append(hash)) nodes.set(`${node.level}/${node.index}`, node.hash);
          }
        };
        const stored = (size: number) =>
          nodesOf({ begin: 0, end: size }).map(({ level, index }) => nodes.get(`${level}/${index}`) as Buffer);
        keep(new GrowingTree(), 0, first);
        // Taken up from what was kept, as the sealer does.
        const tree = new GrowingTree(first, stored(first));
        keep(tree, first, leaves.length);
        expect(tree.root()).toEqual(slowRoot(leaves));
        expect(rootOf(stored(leaves.length))).toEqual(slowRoot(leaves));
      }),
      { numRuns: 60 },
    );
  });
});

const pair = fc
  .integer({ min: 1, max: 200 })
  .chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size - 1 }), fc.nat()));

describe('a proof', () => {
  it('of inclusion holds for its leaf, place, size and root, and for no others', () => {
    fc.assert(
      fc.property(pair, ([size, index, at]) => {
        const leaves = leavesOf(size);
        const [leaf, root] = [leaves[index] as Buffer, slowRoot(leaves)];
        const proof = rangesOf(leaves, inclusionRanges(index, size));
        expect(provesInclusion(leaf, index, size, proof, root)).toBe(true);
        const bent = proof.map((hash, place) => (place === at % proof.length ? leafHash(hash) : hash));
        if (proof.length > 0) expect(provesInclusion(leaf, index, size, bent, root)).toBe(false);
        expect(provesInclusion(leafHash(leaf), index, size, proof, root)).toBe(false);
        expect(provesInclusion(leaf, index, size, proof, leafHash(root))).toBe(false);
        expect(provesInclusion(leaf, index, size, [...proof, root], root)).toBe(false);
        expect(provesInclusion(leaf, index, size, proof.slice(1), root)).toBe(size === 1);
        expect(provesInclusion(leaf, index + size, size, proof, root)).toBe(false);
        if (size > 1) expect(provesInclusion(leaf, (index + 1) % size, size, proof, root)).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  it('of consistency holds between two sizes of one log, and for nothing else', () => {
    fc.assert(
      fc.property(pair, ([to, before, at]) => {
        const leaves = leavesOf(to);
        const from = before + 1;
        const [older, newer] = [slowRoot(leaves.slice(0, from)), slowRoot(leaves)];
        const proof = rangesOf(leaves, consistencyRanges(from, to));
        const proves = (changed: { from?: Buffer; to?: Buffer; proof?: Buffer[] }) =>
          provesConsistency(
            { size: from, root: changed.from ?? older },
            { size: to, root: changed.to ?? newer },
            changed.proof ?? proof,
          );
        expect(proves({})).toBe(true);
        expect(proves({ from: leafHash(older) })).toBe(false);
        expect(proves({ to: leafHash(newer) })).toBe(false);
        expect(proves({ proof: [...proof, newer] })).toBe(false);
        if (proof.length > 0) {
          const bent = proof.map((hash, place) => (place === at % proof.length ? leafHash(hash) : hash));
          expect(proves({ proof: bent })).toBe(false);
          expect(proves({ proof: proof.slice(1) })).toBe(false);
        }
        expect(provesConsistency({ size: to + 1, root: newer }, { size: to, root: newer }, [])).toBe(false);
      }),
      { numRuns: 150 },
    );
  });
});
