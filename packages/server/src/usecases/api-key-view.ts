/** An API key as it is shown: never the key, its hash or its encrypted copy. */
import type { ApiKeyRow, ApiKeyState } from '../store/store.js';

export { API_KEY_STATES, type ApiKeyFilter, type ApiKeyState } from '../store/store.js';

export type ApiKeyView = Omit<ApiKeyRow, 'keyHash' | 'rowMac' | 'encryptedKey'>;

export function apiKeyView({ keyHash: _hash, rowMac: _mac, encryptedKey: _copy, ...view }: ApiKeyRow): ApiKeyView {
  return view;
}

/** What the key is to those who use it. A revoked or disabled one is that, expired or not. */
export function apiKeyState(key: ApiKeyView, nowMs: number): ApiKeyState {
  if (!key.isActive || key.revokedAt !== null) return 'revoked';
  if (key.disabledAt !== null) return 'disabled';
  return key.expiresAt !== null && Date.parse(key.expiresAt) <= nowMs ? 'expired' : 'active';
}

/** The metadata as an object again; null for none, and for what somebody else wrote into the database. */
export function metadataOf({ metadata }: Pick<ApiKeyRow, 'metadata'>): Record<string, unknown> | null {
  try {
    const value: unknown = metadata === null ? null : JSON.parse(metadata);
    return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}
