/**
 * API keys that the Python original issued have only an encrypted copy. An operator makes them valid, having looked at
 * them; nothing does so by itself. Otherwise whoever can write to the database could copy a token of a text of their choice
 * into `encrypted_key`, and have it made a key.
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
    const encryption = new EncryptionService(new Keyring((await service.openKeyring(tx)).ring));
    const hashed: ApiKeyView[] = [];
    const unreadable: number[] = [];
    let isUnchecked = false;
    for (const row of rows) {
      const key = row.encryptedKey === null ? null : read(encryption, row.encryptedKey);
      if (key === null) {
        unreadable.push(row.id);
        continue;
      }
      hashed.push(apiKeyView(row));
      // A key of our shape that has no checksum: from now on a wrong one alone refuses nothing.
      isUnchecked ||= readApiKey(key)?.checksum === 'wrong';
      const keyHash = service.seal.hashKey(key);
      if (!dryRun) await tx.apiKeys.setHash(row.id, { keyHash, rowMac: service.seal.macRow(row, keyHash) });
    }
    if (!dryRun && isUnchecked) await tx.apiKeys.noteUnchecked();
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

function read(service: EncryptionService, token: string): string | null {
  try {
    return service.decryptField(token);
  } catch (error) {
    if (isFieldsealError(error)) return null;
    throw error;
  }
}
