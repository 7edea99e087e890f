/** Reads the whole audit log beside its tree, and names what is not as it was sealed. */
import { type ExactRow, type LeafWithRow, nodeKey, type StoredNode } from '../store/audit-tree.js';
import type { Store } from '../store/store.js';
import { auditLeafHash, auditRowHash } from './audit-leaf.js';
import { type Checkpoint, parseCheckpoint } from './checkpoint.js';
import { isOtherServer } from './epoch.js';
import { GrowingTree } from './merkle-tree.js';
import { PRUNE_ACTION, readPrune } from './prune-note.js';
import { type NoteVerifier, noteText, openNote } from './signed-note.js';

/** Leaves that are in memory at once. */
const PAGE = 1000;
/** Findings that are told one by one; further ones are counted. */
const TOLD = 100;
/** How much earlier than a row that was sealed before it a row may say it was written: long transactions, clocks set back. */
const BACKDATED_MS = 3_600_000;

export type FindingKind =
  | 'edited'
  | 'deleted'
  | 'reordered'
  | 'inserted'
  | 'backdated'
  | 'tree_changed'
  | 'truncated'
  | 'forked'
  | 'checkpoint_invalid';

/** Something that is not as it was sealed. */
export interface Finding {
  readonly kind: FindingKind;
  /** The row, or the first of those that it may be; null where no row can be named. */
  readonly auditId: number | null;
  readonly leafIndex: number | null;
  readonly text: string;
}

export interface LogVerification {
  /** Leaves in the tree, and how many of their rows were pruned. */
  readonly sealed: number;
  readonly pruned: number;
  readonly unsealed: number;
  /** One, and one more for each time that the database moved to another PostgreSQL server. */
  readonly epochs: number;
  /** Checkpoints of the database, and given ones, that hold. */
  readonly checkpoints: number;
  /** The largest size that a checkpoint with a good signature vouches for; 0 without a public key. */
  readonly vouchedSize: number;
  /** In the order in which they were met, the first bad row first. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
}

export interface VerifyLogOptions {
  /** Whose signatures count; null: none is looked at. */
  readonly verifier: NoteVerifier | null;
  /** Checkpoints that were kept elsewhere. */
  readonly given: readonly string[];
}

/** A checkpoint on its way to be compared. */
interface Expected extends Checkpoint {
  readonly isGiven: boolean;
}

/** Reads everything. Memory stays flat, whatever the size of the log. */
export async function verifyLog(store: Store, options: VerifyLogOptions): Promise<LogVerification> {
  return new LogVerifier(store, options).run();
}

class LogVerifier {
  readonly #store: Store;
  readonly #verifier: NoteVerifier | null;
  readonly #findings: Finding[] = [];
  #findingCount = 0;
  readonly #tree = new GrowingTree();
  /** False once a leaf is missing: hashes above it cannot be computed any more. */
  #isWhole = true;
  /** Given ones by size, then the page of stored ones at hand. */
  readonly #given: Expected[] = [];
  #stored: Expected[] = [];
  #storedUpTo = 0;
  #hasMoreStored = true;
  /** Up to this size the tree is vouched for; the first row that is not, stands behind it. */
  #good = { size: 0, auditId: 0 };
  #vouchedSize = 0;
  #checkpoints = 0;
  #mismatches = new Set<boolean>();
  #pruneBound = 0;
  #pruned = 0;
  /** Whether the prunes were read again for the page at hand, whose rows may have been pruned meanwhile. */
  #hasReadPrunes = false;
  /** Checkpoints in the database over more leaves are newer than the tree that is compared. */
  #storedEnd = 0;
  #previous: LeafWithRow | null = null;
  #latestMs = Number.NEGATIVE_INFINITY;
  /** Epochs that leaves are of, and the last of them. */
  #leafEpochs = 0;
  #lastEpoch: number | null = null;
  /** The row that stood first behind the last checkpoint that held. */
  #firstSince: LeafWithRow | null = null;

  constructor(store: Store, { verifier, given }: VerifyLogOptions) {
    this.#store = store;
    this.#verifier = verifier;
    for (const note of given) {
      const checkpoint = this.#open(note, true);
      if (checkpoint) this.#given.push(checkpoint);
    }
    this.#given.sort((a, b) => a.size - b.size);
  }

  async run(): Promise<LogVerification> {
    const { auditTree } = this.#store;
    // The log may grow meanwhile: what is compared is the tree of this moment, and the checkpoints of the moment before.
    this.#storedEnd = (await auditTree.latestCheckpoint())?.size ?? 0;
    const progress = await auditTree.progress();
    const epochs = await auditTree.epochs();
    await this.#readPrunes();
    for (let from = 0; from < progress.size; ) {
      const page = await auditTree.leavesFrom(from, Math.min(PAGE, progress.size - from));
      const last = page.at(-1);
      if (!last || page.every(({ index }) => index >= progress.size)) break;
      const stored = await auditTree.nodesAbove(from, last.index + 1);
      const nodes = new Map(stored.map(({ level, index, hash }) => [nodeKey(level, index), hash]));
      this.#hasReadPrunes = false;
      for (const leaf of page) if (leaf.index < progress.size) await this.#leaf(leaf, nodes);
      from = last.index + 1;
    }
    await this.#truncation();
    // A row with such a leaf would pass for sealed.
    const outside = await auditTree.leavesFrom(Number.MIN_SAFE_INTEGER, TOLD);
    for (const { auditId, index } of outside.filter((leaf) => leaf.index < 0)) {
      this.#find('inserted', auditId, index, `Row ${auditId} was given a leaf that stands outside of the tree.`);
    }
    // Where a dump was restored and nothing sealed yet, the numbers of transactions say nothing.
    const isOther = isOtherServer(progress, await this.#store.audit.cluster());
    for (const id of isOther ? [] : await auditTree.passedOver(progress, TOLD)) {
      this.#find('inserted', id, null, `Row ${id} was put among rows that had been sealed already.`);
    }
    return {
      sealed: progress.size,
      pruned: this.#pruned,
      unsealed: (await auditTree.lag(progress)).rows,
      // A leaf's epoch is hashed with it; a row that tells of the epoch can be taken away.
      epochs: Math.max(epochs.length, this.#leafEpochs),
      checkpoints: this.#checkpoints,
      vouchedSize: this.#vouchedSize,
      findings: this.#findings,
      findingCount: this.#findingCount,
    };
  }

  #find(kind: FindingKind, auditId: number | null, leafIndex: number | null, text: string): void {
    this.#findingCount += 1;
    if (this.#findings.length < TOLD) this.#findings.push({ kind, auditId, leafIndex, text });
  }

  /** Reads a checkpoint, and says what is wrong with it. */
  #open(note: string, isGiven: boolean): Expected | null {
    const text = this.#verifier ? openNote(note, this.#verifier) : noteText(note);
    const checkpoint = text === null ? null : parseCheckpoint(text);
    if (checkpoint && (this.#verifier === null || checkpoint.origin === this.#verifier.name))
      return { ...checkpoint, isGiven };
    const which = isGiven ? 'The given checkpoint' : 'A checkpoint in the database';
    const lacks = this.#verifier ? 'is not one that the public key signed' : 'is none';
    this.#find('checkpoint_invalid', null, null, `${which} ${lacks}.`);
    return null;
  }

  /** A prune counts when its row is sealed as it stands. */
  async #readPrunes(): Promise<void> {
    for (const leaf of await this.#store.auditTree.leavesOfAction(PRUNE_ACTION)) {
      const { row, auditId } = leaf;
      if (!row || !isRowOf(leaf, row) || !auditLeafHash(leaf).equals(leaf.hash)) continue;
      const bound = readPrune(row['details'], this.#verifier);
      // A prune deletes what was there before it.
      if (bound !== null && bound < auditId) this.#pruneBound = Math.max(this.#pruneBound, bound);
    }
  }

  async #isPruned(auditId: number): Promise<boolean> {
    if (auditId > this.#pruneBound && !this.#hasReadPrunes) {
      await this.#readPrunes();
      this.#hasReadPrunes = true;
    }
    return auditId <= this.#pruneBound;
  }

  async #leaf(leaf: LeafWithRow, nodes: ReadonlyMap<string, Buffer>): Promise<void> {
    const { index, auditId, row, hash } = leaf;
    const expected = this.#previous ? this.#previous.index + 1 : 0;
    if (index !== expected) {
      const behind = this.#previous ? `behind row ${this.#previous.auditId}` : 'at the beginning';
      this.#find(
        'deleted',
        null,
        expected,
        `Leaf ${expected} (${behind}, before row ${auditId}) was taken out of the tree.`,
      );
      this.#isWhole = false;
    }
    if (this.#previous && !isBehind(leaf, this.#previous)) {
      const text = `Row ${auditId} stands behind row ${this.#previous.auditId} in the tree, out of its order.`;
      this.#find('reordered', auditId, index, text);
    }
    if (row && !isRowOf(leaf, row)) {
      this.#find('edited', auditId, index, `Row ${auditId} is not as it was sealed.`);
    } else if (!auditLeafHash(leaf).equals(hash)) {
      this.#find('tree_changed', auditId, index, `Leaf ${index}, of row ${auditId}, is not as it was sealed.`);
    }
    if (leaf.epoch !== this.#lastEpoch) this.#leafEpochs += 1;
    this.#lastEpoch = leaf.epoch;
    if (row) this.#time(leaf, row['timestamp']);
    else if (await this.#isPruned(auditId)) this.#pruned += 1;
    else this.#find('deleted', auditId, index, `Row ${auditId} was deleted.`);
    this.#previous = leaf;
    this.#firstSince ??= leaf;
    if (!this.#isWhole) return;
    for (const node of this.#tree.append(hash)) this.#node(node, nodes, leaf);
    await this.#compareCheckpoints(leaf);
  }

  #node({ level, index, hash }: StoredNode, nodes: ReadonlyMap<string, Buffer>, leaf: LeafWithRow): void {
    const key = nodeKey(level, index);
    const stored = nodes.get(key);
    if (stored?.equals(hash)) return;
    const width = 2 ** level;
    const rows = `leaves ${index * width} to ${(index + 1) * width - 1}, the last of row ${leaf.auditId}`;
    this.#find(
      'tree_changed',
      leaf.auditId,
      leaf.index,
      stored
        ? `Node ${key} of the tree does not fit its leaves (${rows}): one of them was changed.`
        : `Node ${key} of the tree (${rows}) is gone.`,
    );
  }

  /** A row that says it is older than rows before it; those that an epoch began with may come from anywhere. */
  #time({ auditId, index, xactId }: LeafWithRow, time: string | Uint8Array | null | undefined): void {
    if (xactId === null) return;
    const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN;
    if (!(ms >= this.#latestMs - BACKDATED_MS)) {
      this.#find(
        'backdated',
        auditId,
        index,
        `Row ${auditId} says that it is older than rows that were sealed before it.`,
      );
    }
    if (ms > this.#latestMs) this.#latestMs = ms;
  }

  async #compareCheckpoints(leaf: LeafWithRow): Promise<void> {
    const { size } = this.#tree;
    let root: Buffer | null = null;
    for (let next = await this.#next(); next && next.size <= size; next = await this.#next()) {
      if (next.isGiven) this.#given.shift();
      else this.#stored.shift();
      root ??= this.#tree.root();
      if (next.size === size && next.root.equals(root)) this.#holds(next, leaf);
      else this.#mismatch(next, leaf);
    }
  }

  #holds({ size, isGiven }: Expected, leaf: LeafWithRow): void {
    // What follows a mismatch and holds again is a checkpoint over what is there now.
    if (this.#mismatches.size > 0 && !isGiven) return;
    this.#checkpoints += 1;
    if (this.#verifier) this.#vouchedSize = Math.max(this.#vouchedSize, size);
    this.#good = { size, auditId: leaf.auditId };
    this.#firstSince = null;
  }

  #mismatch({ size, isGiven }: Expected, leaf: LeafWithRow): void {
    // Every later one of the same kind differs as well.
    if (this.#mismatches.has(isGiven)) return;
    this.#mismatches.add(isGiven);
    const first = this.#firstSince ?? leaf;
    const rows =
      first.index === leaf.index ? `Row ${first.auditId}` : `One of the rows from ${first.auditId} to ${leaf.auditId}`;
    const where = `${rows} (leaves ${this.#good.size} to ${size - 1})`;
    if (isGiven)
      this.#find(
        'forked',
        first.auditId,
        this.#good.size,
        `${where} is the first that the given checkpoint of ${size} leaves was not signed over: the log was rewritten, or is another one.`,
      );
    else
      this.#find(
        'tree_changed',
        first.auditId,
        this.#good.size,
        `${where} is the first that the checkpoint of ${size} leaves was not signed over: the log was rewritten.`,
      );
  }

  /** The checkpoint of the smallest size that was not compared yet. */
  async #next(): Promise<Expected | null> {
    while (this.#stored.length === 0 && this.#hasMoreStored) {
      const page = await this.#store.auditTree.checkpointsAfter(this.#storedUpTo, PAGE);
      this.#hasMoreStored = page.length === PAGE;
      this.#storedUpTo = page.at(-1)?.size ?? this.#storedUpTo;
      for (const { size, note } of page.filter((stored) => stored.size <= this.#storedEnd)) {
        const checkpoint = this.#open(note, false);
        if (checkpoint && checkpoint.size === size) this.#stored.push(checkpoint);
        else if (checkpoint)
          this.#find(
            'checkpoint_invalid',
            null,
            null,
            `The checkpoint that stands for ${size} leaves is of ${checkpoint.size}.`,
          );
      }
    }
    const [given] = this.#given;
    const [stored] = this.#stored;
    if (given && stored) return given.size <= stored.size ? given : stored;
    return given ?? stored ?? null;
  }

  /** Checkpoints over more leaves than there are. */
  async #truncation(): Promise<void> {
    if (!this.#isWhole) return;
    // Those over fewer leaves were compared on the way.
    const left = await this.#next();
    if (!left) return;
    const behind = this.#previous ? `Everything behind row ${this.#previous.auditId}` : 'Every row';
    const text = `${behind} is gone: ${left.isGiven ? 'the given checkpoint' : 'a checkpoint'} was signed over ${left.size} leaves, and there are ${this.#tree.size}.`;
    this.#find('truncated', this.#previous?.auditId ?? null, this.#tree.size, text);
  }
}

/** Whether the row is the one that was sealed. */
function isRowOf({ salt, rowHash }: LeafWithRow, row: ExactRow): boolean {
  return auditRowHash(row, salt).equals(rowHash);
}

/** Whether a leaf comes after another in the order of sealing: by epoch, first by id, then by transaction and id. */
function isBehind(leaf: LeafWithRow, before: LeafWithRow): boolean {
  if (leaf.epoch !== before.epoch) return leaf.epoch > before.epoch;
  if (leaf.xactId !== before.xactId && (leaf.xactId === null || before.xactId === null)) return before.xactId === null;
  if (leaf.xactId !== null && before.xactId !== null && leaf.xactId !== before.xactId)
    return leaf.xactId > before.xactId;
  return leaf.auditId > before.auditId;
}
