/** Audit rows as lines of text, for exports and streams: NDJSON, or CSV as RFC 4180 has it. */
import type { AuditRow } from '../store/store.js';

export const AUDIT_FORMATS = ['ndjson', 'csv'] as const;
export type AuditFormat = (typeof AUDIT_FORMATS)[number];

const COLUMNS = {
  id: 'id',
  timestamp: 'timestamp',
  user_id: 'userId',
  action: 'action',
  resource_type: 'resourceType',
  resource_id: 'resourceId',
  status: 'status',
  ip_address: 'ipAddress',
  request_id: 'requestId',
  user_agent: 'userAgent',
  details: 'details',
} as const satisfies Record<string, keyof AuditRow>;

/** Details are JSON, except in rows of the Python original and of code that wrote plain text. */
export function parsedDetails(details: string | null): unknown {
  try {
    return details === null ? null : JSON.parse(details);
  } catch {
    return details;
  }
}

/** One JSON object and a newline; names are those of the API, ids of users and resources texts. */
export function ndjsonLine(row: AuditRow): string {
  const entries = Object.entries(COLUMNS).map(([name, key]) => [name, row[key]]);
  return `${JSON.stringify({ ...Object.fromEntries(entries), details: parsedDetails(row.details) })}\n`;
}

function csvCell(value: unknown): string {
  const text = value === null ? '' : String(value);
  // A cell that a spreadsheet would take for a formula is made text (OWASP, CSV injection).
  const safe = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function csvLine(cells: readonly unknown[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

/** What stands before the first row. */
export function auditHeader(format: AuditFormat): string {
  return format === 'csv' ? csvLine(Object.keys(COLUMNS)) : '';
}

export function auditLine(format: AuditFormat, row: AuditRow): string {
  return format === 'csv' ? csvLine(Object.values(COLUMNS).map((key) => row[key])) : ndjsonLine(row);
}
