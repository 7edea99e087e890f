/** API keys that the Python original issued have only an encrypted copy; taken over, they gain their hash from it. */
import { EncryptionService, isFieldsealError, Keyring, type KeyringSnapshot } from 'fieldseal';
import type { ApiKeySeal } from '../auth/api-key-seal.js';
import type { StoreTransaction } from '../store/store.js';

const BATCH = 500;

/**
 * Hashes every key that has no hash yet. It runs once in the life of a ring, in the transaction that adds its
 * API-key-hash key: later on, a row without a hash is nobody's key. Otherwise whoever can write to the database could copy
 * a token of a text of their choice into `encrypted_key`, and have it made a key.
 */
export async function hashTakenOverKeys(
  tx: StoreTransaction,
  ring: KeyringSnapshot,
  seal: ApiKeySeal,
): Promise<{ readonly hashed: number; readonly unreadable: number }> {
  const service = new EncryptionService(new Keyring(ring));
  let hashed = 0;
  const unreadable = new Set<number>();
  for (;;) {
    const rows = (await tx.apiKeys.listUnhashed(BATCH + unreadable.size)).filter(({ id }) => !unreadable.has(id));
    if (rows.length === 0) return { hashed, unreadable: unreadable.size };
    for (const row of rows) {
      const key = row.encryptedKey === null ? null : read(service, row.encryptedKey);
      if (key === null) {
        unreadable.add(row.id);
        continue;
      }
      const keyHash = seal.hashKey(key);
      await tx.apiKeys.setHash(row.id, { keyHash, rowMac: seal.macRow(row, keyHash) });
      hashed++;
    }
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
