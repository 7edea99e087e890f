/** `keyring enable`: a disabled key reads again. */
import { enableKey } from 'fieldseal';
import {
  assertNoRun,
  type ChangedKey,
  changedKey,
  inKeyringTransaction,
  type KeyName,
  withKeyringStore,
} from './change-stored-keyring.js';
import type { Dependencies } from './dependencies.js';
import { auditKey, changeKeyring } from './service-keyring.js';

/** @throws FieldsealError `ERR_KEY_STATE` unless the key is disabled or active, `ERR_KEY_NOT_FOUND`, `ERR_RUN_UNFINISHED` */
export async function enableStoredKey(deps: Dependencies, name: KeyName): Promise<ChangedKey> {
  return withKeyringStore(deps, (store) =>
    inKeyringTransaction(deps, store, async (tx, keyring) => {
      const ring = enableKey(keyring.ring, name.version, name.purpose);
      await assertNoRun(tx);
      if (ring !== keyring.ring) {
        await changeKeyring(tx, keyring, ring);
        await auditKey(tx, 'key_enabled', name.version, { purpose: name.purpose });
      }
      return changedKey({ ring }, name);
    }),
  );
}
