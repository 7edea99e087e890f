/** Finding the API key that a caller names, and what must hold of it before it is changed. */
import { FieldsealError } from 'fieldseal';
import { type Principal, visibleOwner } from '../auth/principal.js';
import type { ApiKeyRow, StoreTransaction } from '../store/store.js';
import type { Service } from './service.js';

/** A row that can be sealed anew: its hash and its MAC are there, and right. */
export type IntactApiKeyRow = ApiKeyRow & { readonly keyHash: string; readonly rowMac: string };

/**
 * The key's row; with `lock`, nobody else changes it until the transaction has ended.
 * @throws FieldsealError `ERR_NOT_FOUND`, the same for an absent key and another's
 */
export async function findApiKey(
  { apiKeys }: Pick<StoreTransaction, 'apiKeys'>,
  principal: Principal,
  id: number,
  lock?: 'lock',
): Promise<ApiKeyRow> {
  const owner = visibleOwner(principal);
  const row = await (lock ? apiKeys.lock(id) : apiKeys.get(id));
  if (!row || (owner !== null && row.userId !== owner))
    throw new FieldsealError('ERR_NOT_FOUND', 'There is no such API key.');
  return row;
}

/**
 * A row whose MAC is wrong is never sealed again: that would make valid what somebody wrote into the database.
 * @throws FieldsealError `ERR_API_KEY_TAMPERED`; `ERR_API_KEY_STATE` for a key of the Python original without a hash
 */
export function assertIntact({ seal }: Service, row: ApiKeyRow): asserts row is IntactApiKeyRow {
  if (row.keyHash === null) {
    throw new FieldsealError(
      'ERR_API_KEY_STATE',
      'The API key has no hash yet; `fieldseal api-keys take-over` gives it one.',
    );
  }
  if (!seal.isIntact(row)) {
    throw new FieldsealError(
      'ERR_API_KEY_TAMPERED',
      'The row of the API key was changed in the database; the key is not valid. Revoke it and issue another.',
    );
  }
}

/** @throws FieldsealError `ERR_API_KEY_STATE` */
export function wrongState(sentence: string): FieldsealError {
  return new FieldsealError('ERR_API_KEY_STATE', sentence);
}
