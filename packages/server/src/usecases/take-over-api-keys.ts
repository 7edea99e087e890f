/**
 * API keys that the Python original issued have only an encrypted copy. An operator makes them valid, having looked at
 * them; unless told (take-over-used-api-key.ts), nothing does so by itself. Otherwise whoever can write to the database could
 * copy a token of a text of their choice into `encrypted_key`, and have it made a key.
 */
import { EncryptionService, isFieldsealError, Keyring } from 'fieldseal';
import { readApiKey } from '../auth/api-key-format.js';
import type { ApiKeyRow, StoreTransaction } from '../store/store.js';
import { type ApiKeyView, apiKeyView } from './api-key-view.js';
import { type Actor, auditRow, type Service } from './service.js';

const BATCH = 500;

/** What was found. */
export interface TakenOverApiKeys {
  /** The keys that are valid now, or in a dry run would be. */
  readonly hashed: readonly ApiKeyView[];
  /** Ids of keys whose encrypted copy is missing or cannot be read. */
  readonly unreadable: readonly number[];
}

/** How many keys have no hash, 500 at most. */
export async function countUnhashedApiKeys({ store }: Service): Promise<number> {
  return (await store.apiKeys.listUnhashed(BATCH)).length;
}

/** Gives every key without a hash its hash and its MAC, from the encrypted copy; in one transaction, audited. */
export async function takeOverApiKeys(service: Service, dryRun: boolean, actor: Actor): Promise<TakenOverApiKeys> {
  return service.store.exclusiveTransaction(async (tx) => {
    const rows = await allUnhashed(tx);
    const keyOf = await copyReader(service, tx);
    const hashed: ApiKeyView[] = [];
    const unreadable: number[] = [];
    for (const row of rows) {
      const key = keyOf(row);
      if (key === null) {
        unreadable.push(row.id);
        continue;
      }
      hashed.push(apiKeyView(row));
      if (!dryRun) await giveHash(service, tx, row, key);
    }
    if (!dryRun && rows.length > 0) {
      const details = { hashed: hashed.map(({ id }) => id), unreadable };
      await tx.audit.insert(
        auditRow(actor, { action: 'api_keys_taken_over', resourceType: 'api_key', status: 'success', details }),
      );
    }
    return { hashed, unreadable };
  });
}

async function allUnhashed(tx: StoreTransaction): Promise<ApiKeyRow[]> {
  for (let limit = BATCH; ; limit *= 2) {
    // All of them before the first change: who changes a key raises the revision afterwards, never before.
    const rows = await tx.apiKeys.listUnhashed(limit, 'lock');
    if (rows.length < limit) return rows;
  }
}

/** Reads keys out of encrypted copies, under the newest keyring; null for a copy that is missing or cannot be read. */
export async function copyReader(
  service: Service,
  tx: StoreTransaction,
): Promise<(row: Pick<ApiKeyRow, 'encryptedKey'>) => string | null> {
  const encryption = new EncryptionService(new Keyring((await service.openKeyring(tx)).ring));
  return ({ encryptedKey }) => {
    if (encryptedKey === null) return null;
    try {
      return encryption.decryptField(encryptedKey);
    } catch (error) {
      if (isFieldsealError(error)) return null;
      throw error;
    }
  };
}

/** Gives a row without a hash that of its key, and its MAC. The caller has the row locked. */
export async function giveHash(
  { seal }: Service,
  { apiKeys }: StoreTransaction,
  row: ApiKeyRow,
  key: string,
): Promise<void> {
  const keyHash = seal.hashKey(key);
  await apiKeys.setHash(row.id, { keyHash, rowMac: seal.macRow(row, keyHash) });
  // A key of our shape that has no checksum: from now on a wrong one alone refuses nothing.
  if (readApiKey(key)?.checksum === 'wrong') await apiKeys.noteUnchecked();
}
