/** The API keys that a caller may see. */
import { assertScope, visibleOwner } from '../auth/principal.js';
import { type ApiKeyView, apiKeyView } from './api-key-view.js';
import type { Actor, Service } from './service.js';

/**
 * A page, newest first: the caller's own; for an admin everybody's, or one owner's.
 * @throws FieldsealError `ERR_FORBIDDEN`
 */
export async function listApiKeys(
  { store }: Service,
  { principal }: Actor,
  page: { readonly limit: number; readonly beforeId?: number },
  owner: string | null = null,
): Promise<ApiKeyView[]> {
  assertScope(principal, 'keys:read');
  return (await store.apiKeys.list({ userId: visibleOwner(principal) ?? owner, ...page })).map(apiKeyView);
}
