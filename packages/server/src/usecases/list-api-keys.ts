/** The API keys that a caller may see. */
import { FieldsealError } from 'fieldseal';
import { assertScope, visibleOwner } from '../auth/principal.js';
import { type ApiKeyFilter, type ApiKeyView, apiKeyView } from './api-key-view.js';
import type { Actor, Service } from './service.js';

/** Which keys, and which of them. */
export interface ApiKeyPage extends ApiKeyFilter {
  readonly limit: number;
  readonly beforeId?: number;
}

/**
 * A page, newest first: the caller's own; for an admin everybody's, or one owner's.
 * @throws FieldsealError `ERR_FORBIDDEN`; `ERR_INPUT_INVALID` for a time that is none
 */
export async function listApiKeys(
  { store }: Service,
  { principal }: Actor,
  page: ApiKeyPage,
  owner: string | null = null,
): Promise<ApiKeyView[]> {
  assertScope(principal, 'keys:read');
  const { expiresBefore, expiresAfter, ...rest } = page;
  const times = {
    ...(expiresBefore !== undefined && { expiresBefore: timeOf(expiresBefore, 'expires_before') }),
    ...(expiresAfter !== undefined && { expiresAfter: timeOf(expiresAfter, 'expires_after') }),
  };
  return (await store.apiKeys.list({ userId: visibleOwner(principal) ?? owner, ...rest, ...times })).map(apiKeyView);
}

/** RFC 3339, and what the databases hold: from 1970 to 9999. */
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

function timeOf(text: string, field: string): string {
  const ms = RFC_3339.test(text) ? Date.parse(text) : Number.NaN;
  if (ms >= 0 && ms <= LAST_MS) return new Date(ms).toISOString();
  throw new FieldsealError('ERR_INPUT_INVALID', `${field} is not a time like 2026-03-28T10:00:00Z.`);
}
