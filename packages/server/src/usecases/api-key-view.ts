/** An API key as it is shown: never the key, its hash or its encrypted copy. */
import type { ApiKeyRow } from '../store/store.js';

export type ApiKeyView = Omit<ApiKeyRow, 'keyHash' | 'rowMac' | 'encryptedKey'>;

export function apiKeyView({ keyHash: _hash, rowMac: _mac, encryptedKey: _copy, ...view }: ApiKeyRow): ApiKeyView {
  return view;
}
