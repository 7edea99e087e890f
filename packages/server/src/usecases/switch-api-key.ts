/** Taking an API key out of use for a while, and into use again: apart from revoking it, which is for good. */
import { FieldsealError } from 'fieldseal';
import { assertMayGrant, assertNotItself, assertScope } from '../auth/principal.js';
import type { ApiKeyRow, StoreTransaction } from '../store/store.js';
import { type ApiKeyView, apiKeyView } from './api-key-view.js';
import { findApiKey, wrongState } from './find-api-key.js';
import { type Actor, auditRow, type Service } from './service.js';

/**
 * Disables a key, with its audit row, in one transaction.
 * @throws FieldsealError `ERR_NOT_FOUND`, the same for an absent key and another's; `ERR_API_KEY_STATE` when it is disabled
 * or revoked already; `ERR_FORBIDDEN`
 */
export async function disableApiKey({ store }: Service, id: number, actor: Actor): Promise<ApiKeyView> {
  assertScope(actor.principal, 'keys:write');
  return store.transaction(async (tx) => {
    const row = await findApiKey(tx, actor.principal, id, 'lock');
    return switched(tx, actor, row, 'api_key_disabled', await tx.apiKeys.disable(id, actor.principal.subject));
  });
}

/**
 * Enables a key, with its audit row, in one transaction: who could have issued it, and (but for admins) what the caller's
 * own user has disabled.
 * @throws FieldsealError those of {@link disableApiKey}
 */
export async function enableApiKey({ store }: Service, id: number, actor: Actor): Promise<ApiKeyView> {
  const { principal } = actor;
  assertScope(principal, 'keys:write');
  assertNotItself(principal, id);
  return store.transaction(async (tx) => {
    const row = await findApiKey(tx, principal, id, 'lock');
    assertMayGrant(principal, row.scopes);
    if (row.disabledBy !== null && row.disabledBy !== principal.subject && !principal.isAdmin) {
      throw new FieldsealError('ERR_FORBIDDEN', 'An admin has disabled this API key, and only an admin enables it.');
    }
    return switched(tx, actor, row, 'api_key_enabled', await tx.apiKeys.enable(id));
  });
}

async function switched(
  tx: StoreTransaction,
  actor: Actor,
  before: ApiKeyRow,
  action: 'api_key_disabled' | 'api_key_enabled',
  after: ApiKeyRow | null,
): Promise<ApiKeyView> {
  if (!after) {
    if (!before.isActive || before.revokedAt !== null) throw wrongState('The API key is revoked.');
    throw wrongState(
      action === 'api_key_disabled' ? 'The API key is disabled already.' : 'The API key is not disabled.',
    );
  }
  await tx.audit.insert(
    auditRow(actor, {
      action,
      resourceType: 'api_key',
      resourceId: String(after.id),
      status: 'success',
      details: { prefix: after.prefix, owner: after.userId },
    }),
  );
  return apiKeyView(after);
}
