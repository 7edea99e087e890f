/** What the store keeps of the audit log's Merkle tree: leaves, complete nodes and checkpoints, all of them insert-only. */

/**
 * A row of `audit_logs` exactly as it is stored: text for every column, numbers in decimal and, on PostgreSQL, the time
 * with all its microseconds. Bytes only where somebody put them into a column of text.
 */
export type ExactRow = Readonly<Record<string, string | Uint8Array | null>>;

/**
 * A stretch of the log whose rows one database put in order. A PostgreSQL server numbers its transactions, and those
 * numbers mean nothing on another: a dump that is restored elsewhere begins a new epoch.
 */
export interface AuditEpoch {
  readonly epoch: number;
  /** PostgreSQL's system identifier; null on SQLite, and where asking for it is not allowed. */
  readonly cluster: string | null;
  /** Rows up to this id were there when the epoch began, and are sealed by id. */
  readonly inheritedUpTo: number;
  /** Every transaction below this had ended when the epoch began; null on SQLite. */
  readonly startXact: number | null;
}

/** A leaf without its row. */
export interface StoredLeaf {
  readonly index: number;
  readonly epoch: number;
  readonly auditId: number;
  /** The transaction by whose order it was sealed, 0 on SQLite; null: it was there when the epoch began. */
  readonly xactId: number | null;
  /** 16 bytes. */
  readonly salt: Buffer;
  /** Of the row, which may be gone; 32 bytes. */
  readonly rowHash: Buffer;
  /** Of the leaf, 32 bytes. */
  readonly hash: Buffer;
}

/** A leaf with its row; null: the row is gone. */
export interface LeafWithRow extends StoredLeaf {
  readonly row: ExactRow | null;
}

/** A complete node above the leaves: `level` is 1 or more. */
export interface StoredNode {
  readonly level: number;
  readonly index: number;
  readonly hash: Buffer;
}

export interface StoredCheckpoint {
  readonly size: number;
  readonly note: string;
}

/** How far sealing is. */
export interface TreeProgress {
  /** Leaves in the tree. */
  readonly size: number;
  readonly epoch: AuditEpoch | null;
  /** The last leaf, when it is of that epoch. */
  readonly last: StoredLeaf | null;
  /** PostgreSQL: every transaction below it has ended. Null on SQLite. */
  readonly horizon: number | null;
}

/** A row that is not sealed yet. */
export interface UnsealedRow {
  readonly id: number;
  readonly xactId: number | null;
  readonly row: ExactRow;
}

/** Which rows are sealed next: those that were there when the epoch began, or those since. */
export type UnsealedPart = 'inherited' | 'since';

/** How far sealing is behind. */
export interface SealingLag {
  readonly rows: number;
  /** Of the oldest row that is not sealed, by the database's clock; 0 when there is none. */
  readonly oldestSeconds: number;
}

export interface AuditTreeRepository {
  progress(): Promise<TreeProgress>;
  /** All of them, the first one first. */
  epochs(): Promise<AuditEpoch[]>;
  /** Begins the epoch of that number; nothing happens when another process has. */
  beginEpoch(epoch: number, cluster: string | null): Promise<void>;
  /** Rows that are not sealed, in the order in which they are to be. On PostgreSQL no row that comes later belongs before them. */
  unsealed(progress: TreeProgress, part: UnsealedPart, limit: number): Promise<UnsealedRow[]>;
  /**
   * Adds to the tree, in the caller's transaction; false (and nothing written) when another process seals now, or the tree
   * has not `size` leaves any more.
   */
  append(
    size: number,
    added: {
      readonly leaves: readonly StoredLeaf[];
      readonly nodes: readonly StoredNode[];
      readonly checkpoint: StoredCheckpoint | null;
    },
  ): Promise<boolean>;
  /** The hashes of complete nodes, level 0 being the leaves, as `level/index` → hash; what is not there is left out. */
  nodes(places: readonly { readonly level: number; readonly index: number }[]): Promise<Map<string, Buffer>>;
  /** The complete nodes above the leaves [begin, end) that end in that range. */
  nodesAbove(begin: number, end: number): Promise<StoredNode[]>;
  latestCheckpoint(): Promise<StoredCheckpoint | null>;
  /** By size, from above `size` on. */
  checkpointsAfter(size: number, limit: number): Promise<StoredCheckpoint[]>;
  /** By index, from `index` on. */
  leavesFrom(index: number, limit: number): Promise<LeafWithRow[]>;
  /** The leaf of an audit row; null: it is not sealed. */
  leafOf(auditId: number): Promise<LeafWithRow | null>;
  /** The leaves of rows of one action. */
  leavesOfAction(action: string): Promise<LeafWithRow[]>;
  /** Ids of rows that are not sealed although rows after them are: nobody but an intruder puts them there. */
  passedOver(progress: TreeProgress, limit: number): Promise<number[]>;
  lag(progress: TreeProgress): Promise<SealingLag>;
  /** The last id up to which every row is sealed and older than that; null: not even the first is. */
  prunableUpTo(progress: TreeProgress, olderThanSeconds: number): Promise<number | null>;
  countUpTo(id: number): Promise<number>;
  /** Deletes sealed rows up to an id, at most `limit` of them; how many. */
  deleteUpTo(id: number, limit: number): Promise<number>;
}

/** A node's place as a text. */
export function nodeKey(level: number, index: number): string {
  return `${level}/${index}`;
}
