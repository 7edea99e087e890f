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
  Partial<Omit<AuditRow, 'id' | 'timestamp' | 'action' | 'resourceType' | 'status'>>;

/** Which audit rows; what is left out does not restrict. */
export interface AuditFilter {
  readonly userId?: string;
  readonly action?: string;
  readonly resourceType?: string;
  readonly resourceId?: string;
  readonly status?: 'success' | 'failure';
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
  /** The time that a row would get now. */
  now(): Promise<string>;
}
