/** Every audit row that the caller may see, a page at a time, so that memory stays flat however slowly it is read. */
import type { AuditFilter, Store } from '../store/store.js';
import { type AuditFormat, auditHeader, auditLine } from './audit-lines.js';
import { visibleFilter } from './list-audit-logs.js';
import { type Actor, auditRow } from './service.js';

export { AUDIT_FORMATS, type AuditFormat } from './audit-lines.js';

const PAGE = 500;

async function* pages(store: Store, filter: AuditFilter, format: AuditFormat, start: number): AsyncGenerator<string> {
  const header = auditHeader(format);
  if (header !== '') yield header;
  for (let before = start; ; ) {
    const rows = await store.audit.list({ ...filter, limit: PAGE, beforeId: before });
    if (rows.length > 0) yield rows.map((row) => auditLine(format, row)).join('');
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    before = last.id;
  }
}

/**
 * The rows that fit, newest first, as text in pieces of up to 500 rows. The export's own row is written before the first
 * piece is read; it and what is written later are not in it.
 * @throws FieldsealError of `visibleFilter`
 */
export async function exportAuditLogs(
  { store }: { readonly store: Store },
  actor: Actor,
  filter: AuditFilter,
  format: AuditFormat,
): Promise<AsyncGenerator<string>> {
  const visible = visibleFilter(actor.principal, filter);
  const { id } = await store.audit.insert(
    auditRow(actor, {
      action: 'audit_exported',
      resourceType: 'audit_log',
      status: 'success',
      details: { format, filter },
    }),
  );
  return pages(store, visible, format, id);
}
