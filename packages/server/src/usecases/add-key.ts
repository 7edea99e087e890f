/** `keyring add`: a random key that the next rotation moves to, or that `keyring promote` makes the primary. */
import { addKey, FieldsealError } from 'fieldseal';
import { type ChangedKey, changedKey, inKeyringTransaction, withKeyringStore } from './change-stored-keyring.js';
import type { ChangeablePurpose } from './changeable-purposes.js';
import type { Dependencies } from './dependencies.js';
import { auditKey, changeKeyring, readBack } from './service-keyring.js';

/**
 * Adds a pending key: processes learn it, and nothing is written under it yet.
 * @throws FieldsealError `ERR_KEY_STATE` when one is pending already, `ERR_KEY_NOT_FOUND` for a purpose that has no key yet
 */
export async function addPendingKey(deps: Dependencies, purpose: ChangeablePurpose): Promise<ChangedKey> {
  return withKeyringStore(deps, async (store) => {
    const { changed, version } = await inKeyringTransaction(deps, store, async (tx, keyring) => {
      const siblings = keyring.ring.keys.filter((key) => key.purpose === purpose);
      const pending = siblings.find(({ state }) => state === 'pending');
      if (pending) {
        throw new FieldsealError(
          'ERR_KEY_STATE',
          `The key ${pending.version} is pending already; the next rotation moves to it.`,
        );
      }
      if (siblings.length === 0) {
        throw new FieldsealError(
          'ERR_KEY_NOT_FOUND',
          'The keyring has no key for blind indexes yet; `fieldseal index` makes the first.',
        );
      }
      const { ring, version } = addKey(keyring.ring, null, 'pending', Date.now(), purpose);
      const changed = await changeKeyring(tx, keyring, ring);
      await auditKey(tx, 'key_added', version, { purpose, state: 'pending', adopted: false });
      return { changed, version };
    });
    return changedKey(await readBack(store, changed), { version, purpose });
  });
}
