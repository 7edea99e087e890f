/** The rows of the audit log, and what a store does with them. */

/** A row of `audit_logs`. Details never hold plaintext, a token or a key. */
export interface AuditRow {
  readonly id: number;
  readonly userId: string | null;
  readonly action: string;
  readonly resourceType: string;
  readonly resourceId: string | null;
  readonly ipAddress: string | null;
  readonly status: 'success' | 'failure';
  readonly timestamp: string;
  /** JSON text or null; in rows of the Python original any text. */
  readonly details: string | null;
  readonly requestId: string | null;
  readonly userAgent: string | null;
}

/** What a caller gives; the store adds id and timestamp. */
export type NewAuditRow = Pick<AuditRow, 'action' | 'resourceType' | 'status'> &
  Partial<Omit<AuditRow, 'id' | 'timestamp' | 'action' | 'resourceType' | 'status'>> & {
    /** Name → keyed hash of each sensitive value, to find the row by. The details hold the same hashes. */
    readonly values?: Readonly<Record<string, string>>;
  };

/** Where a reader stands that follows the log: see {@link AuditRepository.follow}. */
export interface AuditPosition {
  /** PostgreSQL: the transaction, in decimal, and the database's cluster. Null on SQLite. */
  readonly xact: string | null;
  readonly cluster: string | null;
  readonly id: number;
  /** PostgreSQL: until this id the rows that were there at the start are read in the order of their ids; then null. */
  readonly upTo: number | null;
}

/** Which audit rows; what is left out does not restrict. */
export interface AuditFilter {
  readonly userId?: string;
  readonly action?: string;
  readonly resourceType?: string;
  readonly resourceId?: string;
  readonly status?: 'success' | 'failure';
  readonly ipAddress?: string;
  /** Rows whose details hold this sensitive value. */
  readonly value?: { readonly name: string; readonly hash: string };
  /** Inclusive, RFC 3339. */
  readonly from?: string;
  /** Exclusive, RFC 3339. */
  readonly until?: string;
}

export interface AuditRepository {
  insert(row: NewAuditRow): Promise<AuditRow>;
  /** Newest first; `beforeId` continues behind the last row of the page before. */
  list(filter: AuditFilter & { readonly limit: number; readonly beforeId?: number }): Promise<AuditRow[]>;
  count(filter: AuditFilter): Promise<number>;
  get(id: number): Promise<AuditRow | null>;
  /**
   * The rows behind a position, in the order in which they can be followed without overlooking any, and the position behind
   * them. On SQLite that is the order of their ids; on PostgreSQL that of their transactions, and only of those older than
   * every one under way. Rows that were there at the start come first, and some of them may come a second time.
   */
  follow(after: AuditPosition, limit: number): Promise<{ readonly rows: AuditRow[]; readonly at: AuditPosition }>;
  /** Where following begins, behind the row of that id. */
  startBehind(id: number): Promise<AuditPosition>;
  /** PostgreSQL: which cluster this is, since ids of transactions mean nothing in another; null where the role may not ask. */
  cluster(): Promise<string | null>;
  /** Lets rows up to this id be deleted, from now on and for good. */
  permitDeletion(upToId: number, by: string): Promise<void>;
  /**
   * PostgreSQL: a role may read and insert rows from now on, and not change or delete them. Whoever owns the tables can undo it.
   * @throws FieldsealError `ERR_USAGE` on SQLite, and for a role of which that would not be true
   */
  protect(role: string): Promise<{ readonly isOwner: boolean }>;
  /** Where the stream of that name stands; null: there is none yet. JSON text. */
  streamCursor(name: string): Promise<string | null>;
  /** Moves it on; false when it is no longer `from` (null: there is none). */
  moveStream(name: string, from: string | null, to: string): Promise<boolean>;
  /** The time that a row would get now. */
  now(): Promise<string>;
}
