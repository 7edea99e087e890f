/** The audit rows that a caller may see. */
import { FieldsealError } from 'fieldseal';
import { assertScope, type Principal, visibleOwner } from '../auth/principal.js';
import type { AuditFilter, AuditRow } from '../store/store.js';
import { type Actor, auditRow, type Service } from './service.js';

export type { AuditFilter, AuditRow };

const ADDRESS = /^[0-9A-Fa-f.:]{2,45}$/;

export interface AuditPage {
  readonly limit: number;
  readonly beforeId?: number;
}

export interface AuditRows {
  /** Of all that fit, whatever the page. */
  readonly total: number;
  readonly logs: AuditRow[];
}

/**
 * The filter, narrowed to what the caller may see.
 * @throws FieldsealError `ERR_FORBIDDEN` for another's rows, `ERR_INPUT_INVALID` for a time or an address that is none
 */
export function visibleFilter(principal: Principal, filter: AuditFilter): AuditFilter {
  assertScope(principal, 'audit:read');
  for (const name of ['from', 'until'] as const) {
    const time = filter[name];
    if (time === undefined || !Number.isNaN(Date.parse(time))) continue;
    throw new FieldsealError('ERR_INPUT_INVALID', `${name} is not a time such as 2026-02-26T10:00:00Z.`);
  }
  if (filter.ipAddress !== undefined && !ADDRESS.test(filter.ipAddress))
    throw new FieldsealError('ERR_INPUT_INVALID', 'ip is not an address such as 192.0.2.7 or 2001:db8::7.');
  const owner = visibleOwner(principal);
  if (owner === null) return filter;
  if (filter.userId !== undefined && filter.userId !== owner)
    throw new FieldsealError('ERR_FORBIDDEN', 'Only an admin reads what others did.');
  return { ...filter, userId: owner };
}

/** Whoever reads what others did leaves a row; the same again within a minute is counted. */
export async function recordView(
  { repeats }: Service,
  actor: Actor,
  action: 'audit_viewed' | 'audit_searched',
  details: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { principal, ipAddress } = actor;
  const kind = JSON.stringify([action, principal.kind, principal.subject, ipAddress, details]);
  await repeats.record(kind, auditRow(actor, { action, resourceType: 'audit_log', status: 'success', details }));
}

async function page({ store }: Service, filter: AuditFilter, shown: AuditPage): Promise<AuditRows> {
  return { total: await store.audit.count(filter), logs: await store.audit.list({ ...filter, ...shown }) };
}

/**
 * A page, newest first, and how many there are in all: the caller's own, or everybody's for an admin.
 * @throws FieldsealError of `visibleFilter`
 */
export async function listAuditLogs(
  service: Service,
  actor: Actor,
  filter: AuditFilter,
  shown: AuditPage,
): Promise<AuditRows> {
  const visible = visibleFilter(actor.principal, filter);
  const rows = await page(service, visible, shown);
  if (visibleOwner(actor.principal) === null) await recordView(service, actor, 'audit_viewed', { filter });
  return rows;
}

/** One row. @throws FieldsealError `ERR_NOT_FOUND`, also for somebody else's */
export async function getAuditLog(service: Service, actor: Actor, id: number): Promise<AuditRow> {
  const { userId } = visibleFilter(actor.principal, {});
  const row = await service.store.audit.get(id);
  if (!row || (userId !== undefined && row.userId !== userId))
    throw new FieldsealError('ERR_NOT_FOUND', 'There is no such audit row.');
  if (userId === undefined) await recordView(service, actor, 'audit_viewed', { id });
  return row;
}

/** What to search for: a sensitive value, exactly as it was written. */
export interface SearchedValue {
  readonly name: string;
  readonly value: string;
}

/**
 * The rows whose details hold a keyed hash of that value under that name, as `listAuditLogs` gives them. The row of the search
 * says the name alone.
 * @throws FieldsealError of `visibleFilter`, and `ERR_INPUT_INVALID`
 */
export async function searchAuditLogs(
  service: Service,
  actor: Actor,
  { name, value }: SearchedValue,
  shown: AuditPage,
): Promise<AuditRows> {
  const visible = visibleFilter(actor.principal, {});
  const hash = (await service.hashValues({ [name]: value }))[name] as string;
  const rows = await page(service, { ...visible, value: { name, hash } }, shown);
  await recordView(service, actor, 'audit_searched', { name });
  return rows;
}
