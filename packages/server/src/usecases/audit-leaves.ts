/** Leaves of the audit log and proofs about them, as they are handed out. */

import { FieldsealError } from 'fieldseal';
import { parseCheckpoint } from '../audit/checkpoint.js';
import { consistencyRanges, inclusionRanges, type LeafRange, nodesOf, rootOf } from '../audit/merkle-tree.js';
import { noteText } from '../audit/signed-note.js';
import { assertScope, visibleOwner } from '../auth/principal.js';
import { type LeafWithRow, nodeKey } from '../store/audit-tree.js';
import type { Store } from '../store/store.js';
import { recordView } from './list-audit-logs.js';
import type { Actor, Service } from './service.js';

/** A leaf with what it is made of. Hashes and salts are hex. */
export interface LeafView {
  readonly leaf_index: number;
  readonly audit_id: number;
  readonly epoch: number;
  /** Null: the row was there when the epoch began. */
  readonly xact_id: number | null;
  /** 16 bytes. */
  readonly salt: string;
  readonly row_hash: string;
  readonly leaf_hash: string;
  /** Each column as text, or `{ bytes: hex }` where the database holds bytes; null: the row was pruned. */
  readonly row: Readonly<Record<string, string | null | { readonly bytes: string }>> | null;
}

/** A leaf, and the proof that the signed tree has it. */
export interface InclusionProof extends LeafView {
  readonly tree_size: number;
  /** Hex, from the leaf up. */
  readonly proof: string[];
  /** The signed note over the tree of that size. */
  readonly checkpoint: string;
}

export interface ConsistencyProof {
  readonly from: number;
  readonly to: number;
  readonly proof: string[];
}

const PAGE = 500;

function leafView({ index, epoch, auditId, xactId, salt, rowHash, hash, row }: LeafWithRow): LeafView {
  const columns = Object.entries(row ?? {}).map(
    ([name, value]) =>
      [name, value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('hex') } : value] as const,
  );
  return {
    leaf_index: index,
    audit_id: auditId,
    epoch,
    xact_id: xactId,
    salt: salt.toString('hex'),
    row_hash: rowHash.toString('hex'),
    leaf_hash: hash.toString('hex'),
    row: row && Object.fromEntries(columns),
  };
}

/** Every leaf, in the tree's order. */
export async function* auditLeaves(store: Store): AsyncGenerator<LeafView> {
  for (let from = 0; ; ) {
    const page = await store.auditTree.leavesFrom(from, PAGE);
    for (const leaf of page) yield leafView(leaf);
    const last = page.at(-1);
    if (!last) return;
    from = last.index + 1;
  }
}

/** The roots of ranges, in hex. */
async function hashesOf(store: Store, ranges: readonly LeafRange[]): Promise<string[]> {
  const stored = await store.auditTree.nodes(ranges.flatMap(nodesOf));
  return ranges.map((range) => {
    const hashes = nodesOf(range).map(({ level, index }) => {
      const hash = stored.get(nodeKey(level, index));
      if (hash) return hash;
      throw new FieldsealError(
        'ERR_AUDIT_TAMPERED',
        'A node of the audit log’s tree is gone; `fieldseal audit verify` names what was changed.',
      );
    });
    return rootOf(hashes).toString('hex');
  });
}

/** The newest signed checkpoint; null: there is none yet. */
export async function latestCheckpoint(store: Store): Promise<string | null> {
  return (await store.auditTree.latestCheckpoint())?.note ?? null;
}

/** The proof for one row; null when it is not there, or no checkpoint is over it yet. */
export async function proveInclusion(store: Store, auditId: number): Promise<InclusionProof | null> {
  const leaf = await store.auditTree.leafOf(auditId);
  const checkpoint = leaf && (await store.auditTree.latestCheckpoint());
  const size = checkpoint ? parseCheckpoint(noteText(checkpoint.note) ?? '')?.size : undefined;
  if (!leaf || !checkpoint || size === undefined || size <= leaf.index) return null;
  const proof = await hashesOf(store, inclusionRanges(leaf.index, size));
  return { ...leafView(leaf), tree_size: size, proof, checkpoint: checkpoint.note };
}

/**
 * The proof that the tree of `from` leaves is how that of `to` began.
 * @throws FieldsealError `ERR_INPUT_INVALID` unless 1 ≤ from ≤ to ≤ the tree's size
 */
export async function proveConsistency(store: Store, from: number, to: number): Promise<ConsistencyProof> {
  const { size } = await store.auditTree.progress();
  if (!(from >= 1 && from <= to && to <= size)) {
    throw new FieldsealError('ERR_INPUT_INVALID', 'from and to must be sizes that the tree had, from not above to.');
  }
  return { from, to, proof: await hashesOf(store, consistencyRanges(from, to)) };
}

/** {@link latestCheckpoint} for a caller. @throws FieldsealError `ERR_FORBIDDEN`, `ERR_NOT_FOUND` */
export async function readCheckpoint(store: Store, { principal }: Actor): Promise<string> {
  assertScope(principal, 'audit:read');
  const note = await latestCheckpoint(store);
  if (note === null) throw new FieldsealError('ERR_NOT_FOUND', 'No checkpoint of the audit log was signed yet.');
  return note;
}

/** {@link proveInclusion} for a caller: of its own rows, or of any for an admin. @throws FieldsealError `ERR_FORBIDDEN`, `ERR_NOT_FOUND` */
export async function readInclusionProof(service: Service, actor: Actor, auditId: number): Promise<InclusionProof> {
  const { principal } = actor;
  assertScope(principal, 'audit:read');
  const owner = visibleOwner(principal);
  const proof = await proveInclusion(service.store, auditId);
  if (!proof || (owner !== null && proof.row?.['user_id'] !== owner)) {
    throw new FieldsealError('ERR_NOT_FOUND', 'There is no such audit row, or it is not in a signed tree yet.');
  }
  if (owner === null) await recordView(service, actor, 'audit_viewed', { id: auditId });
  return proof;
}

/** {@link proveConsistency} for a caller. @throws FieldsealError `ERR_FORBIDDEN`, `ERR_INPUT_INVALID` */
export async function readConsistencyProof(
  store: Store,
  { principal }: Actor,
  from: number,
  to: number,
): Promise<ConsistencyProof> {
  assertScope(principal, 'audit:read');
  return proveConsistency(store, from, to);
}
