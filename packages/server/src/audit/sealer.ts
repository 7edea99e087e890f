/** Turns rows of the audit log into leaves of its Merkle tree, behind the back of those who write them. */
import { FieldsealError, Secret } from 'fieldseal';
import { nodeKey, type StoredLeaf, type StoredNode, type TreeProgress, type UnsealedRow } from '../store/audit-tree.js';
import type { Store } from '../store/store.js';
import { auditLeafHash, auditRowHash, SALT_BYTES } from './audit-leaf.js';
import { parseCheckpoint, signCheckpoint } from './checkpoint.js';
import { isOtherServer } from './epoch.js';
import { GrowingTree, nodesOf, rootOf } from './merkle-tree.js';
import { type NoteSigner, noteText } from './signed-note.js';

/** Rows that one transaction seals. */
const BATCH_ROWS = 1000;

function tampered(sentence: string): FieldsealError {
  return new FieldsealError(
    'ERR_AUDIT_TAMPERED',
    `${sentence} Nothing more is sealed; \`fieldseal audit verify\` names what was changed.`,
  );
}

/** The root of the first `size` leaves, out of the stored nodes. @throws FieldsealError `ERR_AUDIT_TAMPERED` */
export async function storedTree(store: Pick<Store, 'auditTree'>, size: number): Promise<readonly Buffer[]> {
  const places = nodesOf({ begin: 0, end: size });
  const hashes = await store.auditTree.nodes(places);
  return places.map(({ level, index }) => {
    const hash = hashes.get(nodeKey(level, index));
    if (!hash) throw tampered('A node of the audit log’s tree is gone.');
    return hash;
  });
}

/** Seals the log of one store. Several processes may: one of them does, and the others find nothing left. */
export class Sealer {
  readonly #store: Store;
  readonly #signer: NoteSigner | null;
  #cluster: string | null | undefined;
  /** The epoch whose inherited rows are all sealed, so that nobody looks for them again. */
  #settledEpoch = -1;

  /** @param signer null: the tree grows, and no checkpoint is signed */
  constructor(store: Store, signer: NoteSigner | null) {
    this.#store = store;
    this.#signer = signer;
  }

  /**
   * Seals everything that can be sealed now, and signs a checkpoint over it.
   * @returns how many rows it sealed
   * @throws FieldsealError `ERR_AUDIT_TAMPERED` when the tree is not what the last checkpoint was signed over
   */
  async pass(stop?: AbortSignal): Promise<number> {
    let progress = await this.#epoch();
    const latest = await this.#store.auditTree.latestCheckpoint();
    if (latest) await this.#assertSigned(latest.note, progress.size);
    const tree = new GrowingTree(progress.size, await storedTree(this.#store, progress.size));
    let sealed = 0;
    let signedSize = latest?.size ?? 0;
    for (;;) {
      const { leaves: batch, isAll } = await this.#nextBatch(progress);
      const isLast = isAll || stop?.aborted === true;
      const size = tree.size;
      const nodes: StoredNode[] = [];
      for (const { hash } of batch) nodes.push(...tree.append(hash));
      const needsCheckpoint = isLast && this.#signer !== null && tree.size > signedSize;
      if (batch.length === 0 && !needsCheckpoint) return sealed;
      const checkpoint =
        needsCheckpoint && this.#signer
          ? { size: tree.size, note: await signCheckpoint({ size: tree.size, root: tree.root() }, this.#signer) }
          : null;
      const added = { leaves: batch, nodes, checkpoint };
      // Another process that seals goes on from here.
      if (!(await this.#store.transaction((tx) => tx.auditTree.append(size, added)))) return sealed;
      sealed += batch.length;
      signedSize = checkpoint?.size ?? signedSize;
      if (isLast) return sealed;
      progress = { ...progress, size: tree.size, last: batch.at(-1) ?? progress.last };
    }
  }

  /** Begins an epoch where there is none, or where the last one is of another server. */
  async #epoch(): Promise<TreeProgress> {
    const { auditTree } = this.#store;
    const progress = await auditTree.progress();
    if (this.#cluster === undefined) this.#cluster = await this.#store.audit.cluster();
    if (progress.epoch && !isOtherServer(progress, this.#cluster)) return progress;
    await auditTree.beginEpoch((progress.epoch?.epoch ?? 0) + 1, this.#cluster);
    return auditTree.progress();
  }

  /** The next leaves, and whether there are no more behind them. */
  async #nextBatch(progress: TreeProgress): Promise<{ readonly leaves: StoredLeaf[]; readonly isAll: boolean }> {
    const epoch = progress.epoch?.epoch ?? 0;
    if (this.#settledEpoch !== epoch && progress.last?.xactId == null) {
      const rows = await this.#store.auditTree.unsealed(progress, 'inherited', BATCH_ROWS);
      if (rows.length > 0) return { leaves: leavesOf(rows, progress.size, epoch), isAll: false };
    }
    this.#settledEpoch = epoch;
    const rows = await this.#store.auditTree.unsealed(progress, 'since', BATCH_ROWS);
    return { leaves: leavesOf(rows, progress.size, epoch), isAll: rows.length < BATCH_ROWS };
  }

  /** What was signed last must still be there: a checkpoint over a rewritten tree would bear it out. */
  async #assertSigned(note: string, size: number): Promise<void> {
    const signed = parseCheckpoint(noteText(note) ?? '');
    if (!signed || signed.size > size) throw tampered('The audit log’s tree is smaller than its last checkpoint says.');
    if (!rootOf(await storedTree(this.#store, signed.size)).equals(signed.root))
      throw tampered('The audit log’s tree is not the one that its last checkpoint was signed over.');
  }
}

function leavesOf(rows: readonly UnsealedRow[], size: number, epoch: number): StoredLeaf[] {
  const salts = Secret.random(rows.length * SALT_BYTES).reveal();
  return rows.map(({ id, xactId, row }, at) => {
    const salt = salts.subarray(at * SALT_BYTES, (at + 1) * SALT_BYTES);
    const place = { epoch, auditId: id, xactId, rowHash: auditRowHash(row, salt) };
    return { index: size + at, ...place, salt, hash: auditLeafHash(place) };
  });
}
