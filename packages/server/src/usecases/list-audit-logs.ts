/** The audit rows that a caller may see. */
import { assertScope, visibleOwner } from '../auth/principal.js';
import type { AuditFilter, AuditRow } from '../store/store.js';
import type { Actor, Service } from './service.js';

export type { AuditRow };

/** A page, newest first, and how many there are in all: the caller's own, or everybody's for an admin. */
export async function listAuditLogs(
  { store }: Service,
  { principal }: Actor,
  filter: Omit<AuditFilter, 'userId'>,
  page: { readonly limit: number; readonly beforeId?: number },
): Promise<{ readonly total: number; readonly logs: AuditRow[] }> {
  assertScope(principal, 'audit:read');
  const owner = visibleOwner(principal);
  const own = { ...filter, ...(owner !== null && { userId: owner }) };
  return { total: await store.audit.count(own), logs: await store.audit.list({ ...own, ...page }) };
}
