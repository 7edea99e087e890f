/** Changing the name, the limits and the metadata of an API key. */
import Type, { type Static } from 'typebox';
import { assertMayGrant, assertNotItself, assertScope } from '../auth/principal.js';
import type { ApiKeyRow } from '../store/store.js';
import { changedLimitFields, changedLimits } from './api-key-limits.js';
import { type ApiKeyView, apiKeyView } from './api-key-view.js';
import { ApiKeyName } from './create-api-key.js';
import { assertIntact, findApiKey, wrongState } from './find-api-key.js';
import { assertInput } from './input.js';
import { type Actor, auditRow, type Service } from './service.js';

/** What a caller gives: null takes a limit off, and what is left out stays. */
export const ApiKeyChangeSchema = Type.Object(
  { name: Type.Optional(ApiKeyName), ...changedLimitFields },
  { additionalProperties: false, minProperties: 1 },
);
export type ApiKeyChangeInput = Static<typeof ApiKeyChangeSchema>;

/**
 * Changes an unrevoked key and seals its row again, with its audit row, in one transaction. Limits are changed only by who
 * could have issued the key, and an API key never changes itself.
 * @throws FieldsealError `ERR_NOT_FOUND`, the same for an absent key and another's; `ERR_API_KEY_STATE`;
 * `ERR_API_KEY_TAMPERED`; `ERR_FORBIDDEN`; `ERR_INPUT_INVALID`
 */
export async function updateApiKey(
  service: Service,
  id: number,
  input: ApiKeyChangeInput,
  actor: Actor,
): Promise<ApiKeyView> {
  assertInput(ApiKeyChangeSchema, input);
  const { principal } = actor;
  const { name: newName, ...limitsInput } = input;
  assertScope(principal, 'keys:write');
  assertNotItself(principal, id);
  return service.store.transaction(async (tx) => {
    const row = await findApiKey(tx, principal, id, 'lock');
    if (Object.keys(limitsInput).length > 0) assertMayGrant(principal, row.scopes);
    if (!row.isActive || row.revokedAt !== null) throw wrongState('The API key is revoked.');
    assertIntact(service, row);
    const name = newName ?? row.name;
    const limits = changedLimits(row, limitsInput);
    const rowMac = service.seal.macRow({ ...row, ...limits }, row.keyHash);
    const changed = await tx.apiKeys.update(id, row.rowMac, { name, ...limits, rowMac });
    if (!changed) throw wrongState('The API key was changed at the same time; try again.');
    await tx.audit.insert(
      auditRow(actor, {
        action: 'api_key_updated',
        resourceType: 'api_key',
        resourceId: String(id),
        status: 'success',
        details: { prefix: row.prefix, owner: row.userId, changes: changesOf(row, changed) },
      }),
    );
    return apiKeyView(changed);
  });
}

/** What was and what is; of the metadata only that it is another. */
function changesOf(before: ApiKeyRow, after: ApiKeyRow): Record<string, unknown> {
  const names = ['name', 'allowedIps', 'rateLimit', 'rateWindowSeconds', 'quota'] as const;
  const differ = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  return {
    ...Object.fromEntries(differ.map((name) => [name, { from: before[name], to: after[name] }])),
    ...(before.metadata !== after.metadata && { metadata: after.metadata === null ? 'removed' : 'set' }),
  };
}
