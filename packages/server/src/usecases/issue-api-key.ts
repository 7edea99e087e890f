/** Making a new API key and its row. */
import { EncryptionService, isFieldsealError, Keyring } from 'fieldseal';
import { generateApiKey } from '../auth/api-key-format.js';
import type { ApiKeyRow, NewApiKeyRow, StoreTransaction } from '../store/store.js';
import type { Service } from './service.js';

const PREFIX_TRIES = 5;

/** What is decided of a key before it is drawn. */
export type IssuedApiKey = Omit<NewApiKeyRow, 'prefix' | 'keyHash' | 'rowMac' | 'encryptedKey'>;

/** Draws a key and stores its row, sealed. The key is in the result, and nowhere else in the clear. */
export async function issueApiKey(
  { seal, settings, openKeyring }: Service,
  tx: StoreTransaction,
  issued: IssuedApiKey,
): Promise<{ readonly row: ApiKeyRow; readonly key: string }> {
  const { ring } = await openKeyring(tx);
  const encryption = settings.apiKeyRecoverable ? new EncryptionService(new Keyring(ring)) : null;
  for (let tries = 1; ; tries++) {
    const { key, prefix } = generateApiKey(settings.apiKeyPrefix);
    const keyHash = seal.hashKey(key);
    const rowMac = seal.macRow({ ...issued, prefix }, keyHash);
    const encryptedKey = encryption?.encryptField(key) ?? null;
    try {
      return { row: await tx.apiKeys.insert({ ...issued, prefix, keyHash, rowMac, encryptedKey }), key };
    } catch (error) {
      // Six characters do collide once in a while; a collision says nothing and is drawn again.
      const isTaken = isFieldsealError(error) && error.code === 'ERR_API_KEY_PREFIX_TAKEN';
      if (!isTaken || tries === PREFIX_TRIES) throw error;
    }
  }
}
