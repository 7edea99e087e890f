/** Audit rows of the application's own, and of what was refused. */
import { type ErrorCode, FieldsealError } from 'fieldseal';
import type { AuditRow, NewAuditRow } from '../store/store.js';
import { hashedDetails } from './sensitive-values.js';
import { type Actor, auditRow, type Service } from './service.js';

/** An audit row of an application. */
export interface RecordedAudit extends Omit<NewAuditRow, 'values'> {
  /**
   * Values such as an e-mail address: the details show a keyed hash in the place of each, and the row can be searched for by
   * it. Beside them `details` must be a JSON object, or be left out.
   */
  readonly sensitive?: Readonly<Record<string, string>>;
}

/**
 * Writes an audit row. `details` must hold no plaintext, token or key: whatever it says, readers of the log see.
 *
 * @throws FieldsealError `ERR_INPUT_INVALID` for a sensitive value that is no text, or details that are no JSON object
 * @example
 * await recordAudit(service, { userId: '42', action: 'email_changed', resourceType: 'user', resourceId: '42', status: 'success', sensitive: { email: 'ada@example.com' } });
 */
export async function recordAudit(
  { store, hashValues }: Service,
  { sensitive = {}, ...row }: RecordedAudit,
): Promise<AuditRow> {
  const values = await hashValues(sensitive);
  if (Object.keys(values).length === 0) return store.audit.insert(row);
  const details = JSON.stringify({ ...objectOf(row.details ?? '{}'), ...hashedDetails(values) });
  return store.audit.insert({ ...row, details, values });
}

function objectOf(details: string): object {
  try {
    const parsed: unknown = JSON.parse(details);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    // Refused below, without what it says.
  }
  throw new FieldsealError('ERR_INPUT_INVALID', 'The details beside sensitive values must be a JSON object.');
}

/** Writes down that a request was refused, and why; further ones of its kind within a minute are counted. */
export async function recordRefusal(
  { repeats }: Service,
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
  const principal = actor?.principal;
  const kind = JSON.stringify([
    row.action,
    principal ? [principal.kind, principal.subject, principal.apiKeyId] : null,
    from.ipAddress,
    code,
    method,
    route,
  ]);
  if (actor) return repeats.record(kind, auditRow(actor, row));
  const { action, resourceType, status } = row;
  const details = JSON.stringify({ ...row.details, via: 'nobody' });
  return repeats.record(kind, { ...from, userId: null, action, resourceType, status, details });
}
