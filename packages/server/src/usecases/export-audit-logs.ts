/** `audit export`: every audit row, a page at a time, so that memory stays flat. */
import type { AuditFilter, AuditRow } from '../store/store.js';
import type { Service } from './service.js';

const PAGE = 500;

/** The rows that fit `filter`, newest first. */
export async function* exportAuditLogs(
  { store }: Pick<Service, 'store'>,
  filter: AuditFilter,
): AsyncGenerator<AuditRow> {
  let before: number | undefined;
  for (;;) {
    const rows = await store.audit.list({ ...filter, limit: PAGE, ...(before !== undefined && { beforeId: before }) });
    yield* rows;
    if (rows.length < PAGE) return;
    before = rows.at(-1)?.id;
  }
}
