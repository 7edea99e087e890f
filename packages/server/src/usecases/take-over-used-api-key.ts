/**
 * A key of the Python original gains its hash when it is used, where `API_KEYS_TAKE_OVER_ON_USE` says so. Nobody looks at its
 * row first: whoever can write to the database, and finds there a token of a text that they know, can make a key meanwhile.
 */
import { readApiKey } from '../auth/api-key-format.js';
import type { ApiKeyRow, StoreTransaction } from '../store/store.js';
import type { Service } from './service.js';
import { copyReader, giveHash } from './take-over-api-keys.js';

/**
 * For a key that nothing was found for: whether it has its hash now, by this use or by another at the same time. Audited.
 * @throws FieldsealError of the database and the keyring
 */
export async function takeOverUsedApiKey(service: Service, key: string): Promise<boolean> {
  const { store, seal } = service;
  const presented = readApiKey(key);
  // A key of ours has its hash from the beginning: somebody took it away, to have what they wrote beside it sealed.
  if (!presented || presented.checksum === 'right') return false;
  const hash = seal.hashKey(key);
  const rows = await store.apiKeys.findByPrefixes(presented.prefixes);
  if (rows.some((row) => seal.hasHash(row, hash) && seal.isIntact(row))) return true;
  for (const { id, keyHash } of rows) {
    // Looked at before anything is locked: whoever guesses holds nobody up.
    if (keyHash !== null || !(await isCopied(service, store, await store.apiKeys.get(id), hash))) continue;
    if (await store.transaction((tx) => takeOver(service, tx, id, key, hash))) return true;
  }
  return false;
}

async function takeOver(
  service: Service,
  tx: StoreTransaction,
  id: number,
  key: string,
  hash: string,
): Promise<boolean> {
  const row = await tx.apiKeys.lock(id);
  if (row?.keyHash != null) return service.seal.hasHash(row, hash);
  // Read again: a rotation may have written the copy anew, or somebody another one.
  if (!row || !(await isCopied(service, tx, row, hash))) return false;
  await giveHash(service, tx, row, key);
  const { prefix, userId: owner, scopes, expiresAt } = row;
  await tx.audit.insert({
    action: 'api_keys_taken_over',
    resourceType: 'api_key',
    resourceId: String(id),
    status: 'success',
    details: JSON.stringify({ hashed: [id], onUse: true, prefix, owner, scopes, expiresAt }),
  });
  return true;
}

/** Whether the row's encrypted copy is of the key with this hash. Constant time. */
async function isCopied(service: Service, tx: StoreTransaction, row: ApiKeyRow | null, hash: string): Promise<boolean> {
  if (!row) return false;
  const copied = (await copyReader(service, tx))(row);
  return copied !== null && service.seal.hasHash({ keyHash: service.seal.hashKey(copied) }, hash);
}
