/** `keyring list`: the stored keys, without their bytes. */
import { FieldsealError, type KeyPurpose, type KeyState, openSealedKeyring, RootKey } from 'fieldseal';
import type { Dependencies } from './dependencies.js';
import { withReadOnlyStore } from './list-runs.js';
import { keysToOpen } from './service.js';

/** One key as it is shown. */
export interface KeyView {
  readonly version: string;
  readonly purpose: KeyPurpose;
  readonly id: number;
  readonly state: KeyState;
  readonly createdAt: string;
}

/** The ring as it is shown. */
export interface KeyringView {
  readonly id: string;
  readonly generation: number;
  readonly keys: readonly KeyView[];
  /** Fingerprints of the roots that open it. Two: a rotation from OLD to NEW, or a rewrap, is not finalized. */
  readonly roots: readonly string[];
  /** Processes that read it and signed on in the last minute. */
  readonly readers: readonly { generation: number; secondsAgo: number }[];
}

/** @throws FieldsealError `ERR_KEYRING_NOT_FOUND`, `ERR_KEYRING_ROOT`, `ERR_KEYRING_TAMPERED`, `ERR_KEY_MISSING` */
export async function listKeys(deps: Dependencies): Promise<KeyringView> {
  return withReadOnlyStore(deps, async (store) => {
    const stored = await store.keyring.load();
    if (!stored)
      throw new FieldsealError(
        'ERR_KEYRING_NOT_FOUND',
        'The database holds no keyring yet; `fieldseal encrypt` makes one.',
      );
    const [root] = keysToOpen(deps.keys).roots;
    if (!root)
      throw new FieldsealError(
        'ERR_KEY_MISSING',
        'ENCRYPTION_KEY is not set; the list is shown only once its MAC is checked.',
      );
    const ring = openSealedKeyring(stored, new RootKey(root));
    const readers = (await store.keyring.readers()).filter((reader) => reader.secondsAgo <= 60);
    return {
      id: ring.id,
      generation: ring.generation,
      keys: ring.keys.map(({ secret: _secret, ...key }) => key),
      roots: Object.keys(stored.macs),
      readers: readers.map(({ generation, secondsAgo }) => ({ generation, secondsAgo })),
    };
  });
}
