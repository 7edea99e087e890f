/** From the text of an API key to who it speaks for. */
import { FieldsealError } from 'fieldseal';
import { readApiKey } from '../auth/api-key-format.js';
import type { Principal } from '../auth/principal.js';
import type { Service } from './service.js';

function refused(): FieldsealError {
  return new FieldsealError('ERR_UNAUTHENTICATED', 'The API key is not valid.');
}

/**
 * Verifies a key and moves its `last_used_at` forward.
 * @throws FieldsealError `ERR_UNAUTHENTICATED`: the same for an unknown, altered, expired and revoked one
 */
export async function authenticateApiKey({ store, seal }: Service, text: string): Promise<Principal> {
  const presented = readApiKey(text);
  if (!presented) throw refused();
  const row = await store.apiKeys.findByPrefix(presented.prefix);
  if (!row || !seal.isKey(row, text) || !seal.isIntact(row)) throw refused();
  // A wrong checksum is a typing mistake, unless the hash says that the Python original issued just this key.
  if (!row.isActive || row.revokedAt !== null || row.disabledAt !== null) throw refused();
  if (row.expiresAt !== null && Date.parse(row.expiresAt) <= Date.now()) throw refused();
  // A time that cannot be written down is no reason to refuse a valid key.
  await store.apiKeys.touch(row.id).catch(() => {});
  return { kind: 'api_key', subject: row.userId, isAdmin: false, scopes: row.scopes, apiKeyId: row.id };
}
