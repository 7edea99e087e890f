/** The API keys that a caller may see. */
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
 * @throws FieldsealError `ERR_FORBIDDEN`
 */
export async function listApiKeys(
  { store }: Service,
  { principal }: Actor,
  page: ApiKeyPage,
  owner: string | null = null,
): Promise<ApiKeyView[]> {
  assertScope(principal, 'keys:read');
  return (await store.apiKeys.list({ userId: visibleOwner(principal) ?? owner, ...page })).map(apiKeyView);
}
