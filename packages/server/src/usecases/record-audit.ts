/** Audit rows of the application's own, and of what was refused. */
import type { ErrorCode } from 'fieldseal';
import type { AuditRow, NewAuditRow } from '../store/store.js';
import { type Actor, auditRow, type Service } from './service.js';

/**
 * Writes an audit row. `details` must hold no plaintext, token or key: whatever it says, readers of the log see.
 *
 * @example
 * await recordAudit(service, { userId: '42', action: 'sensitive_field_accessed', resourceType: 'user', resourceId: '42', status: 'success' });
 */
export async function recordAudit({ store }: Service, row: NewAuditRow): Promise<AuditRow> {
  return store.audit.insert(row);
}

/** Writes down that a request was refused, and why. */
export async function recordRefusal(
  { store }: Service,
  actor: Actor | null,
  refusal: {
    readonly code: ErrorCode;
    readonly method: string;
    readonly route: string;
    readonly from: Omit<Actor, 'principal'>;
  },
): Promise<void> {
  const { code, method, route, from } = refusal;
  const row = {
    action: 'request_refused',
    resourceType: 'request',
    status: 'failure' as const,
    details: { code, method, route },
  };
  const anonymous = { ...from, userId: null, action: row.action, resourceType: row.resourceType, status: row.status };
  await store.audit.insert(actor ? auditRow(actor, row) : { ...anonymous, details: JSON.stringify(row.details) });
}
