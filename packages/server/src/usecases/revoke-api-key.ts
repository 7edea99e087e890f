/** Revoking an API key. Its row stays: who, when and why. */
import { FieldsealError } from 'fieldseal';
import Type, { type Static } from 'typebox';
import { assertScope } from '../auth/principal.js';
import { type ApiKeyView, apiKeyView } from './api-key-view.js';
import { findApiKey } from './find-api-key.js';
import { assertInput } from './input.js';
import { type Actor, auditRow, type Service } from './service.js';

/** What a caller gives. */
export const RevocationSchema = Type.Object(
  {
    reason: Type.Optional(
      Type.String({ maxLength: 1000, pattern: '^[^\\u0000]*$', description: 'Why; kept beside the key.' }),
    ),
  },
  { additionalProperties: false },
);
export type RevocationInput = Static<typeof RevocationSchema>;

/**
 * Revokes a key, with its audit row, in one transaction.
 * @throws FieldsealError `ERR_NOT_FOUND`, the same for an absent key and another's; `ERR_API_KEY_REVOKED`; `ERR_FORBIDDEN`
 */
export async function revokeApiKey(
  { store }: Service,
  id: number,
  input: RevocationInput,
  actor: Actor,
): Promise<ApiKeyView> {
  assertInput(RevocationSchema, input);
  const { principal } = actor;
  assertScope(principal, 'keys:write');
  return store.transaction(async (tx) => {
    const row = await findApiKey(tx, principal, id);
    const reason = input.reason ?? null;
    const revoked = await tx.apiKeys.revoke(id, { by: principal.subject, reason });
    if (!revoked) throw new FieldsealError('ERR_API_KEY_REVOKED', 'The API key is revoked already.');
    const details = { prefix: row.prefix, owner: row.userId, reason };
    await tx.audit.insert(
      auditRow(actor, {
        action: 'api_key_revoked',
        resourceType: 'api_key',
        resourceId: String(id),
        status: 'success',
        details,
      }),
    );
    return apiKeyView(revoked);
  });
}
