/** One API key with all that is known of it. */
import { assertScope } from '../auth/principal.js';
import { type ApiKeyView, apiKeyView } from './api-key-view.js';
import { findApiKey } from './find-api-key.js';
import type { Actor, Service } from './service.js';

/** @throws FieldsealError `ERR_NOT_FOUND`, the same for an absent key and another's; `ERR_FORBIDDEN` */
export async function getApiKey({ store }: Service, id: number, { principal }: Actor): Promise<ApiKeyView> {
  assertScope(principal, 'keys:read');
  return apiKeyView(await findApiKey(store, principal, id));
}
