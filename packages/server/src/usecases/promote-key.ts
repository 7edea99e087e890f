/** `keyring promote`: makes a key the one that writes, without moving any value to it. */
import { FieldsealError } from 'fieldseal';
import { assertNoRun, type ChangedKey, changedKey, type KeyName, withKeyringStore } from './change-stored-keyring.js';
import type { Dependencies } from './dependencies.js';
import { promoteVersion } from './promote.js';
import { keysToOpen } from './service.js';
import { openServiceKeyring } from './service-keyring.js';

/** Readers that know only the environment must know the key that writes. @throws FieldsealError `ERR_ROTATE_ENV_KEYS` */
async function assertEnvironmentReads(
  deps: Dependencies,
  { ring }: { ring: ChangedRing },
  version: string,
): Promise<void> {
  const config = await deps.loadConfig();
  if (config?.keys !== 'env') return;
  const { secret } = ring.key(version);
  const { current, previous } = deps.keys;
  if ([current, ...previous].some((given) => given && secret?.equals(given))) return;
  throw new FieldsealError(
    'ERR_ROTATE_ENV_KEYS',
    `The configuration says keys: 'env', and ${version} is in neither ENCRYPTION_KEY nor ENCRYPTION_KEY_PREVIOUS: readers that know only these could not read what it writes.`,
  );
}

type ChangedRing = Awaited<ReturnType<typeof openServiceKeyring>>['ring'];

/**
 * Makes a pending or active key the primary, once every live reader has loaded it, and returns when they all know that.
 * The old primary goes on reading. For a key that is the primary already nothing is changed.
 * @throws FieldsealError `ERR_KEY_NOT_FOUND`, `ERR_KEY_STATE`, `ERR_RUN_UNFINISHED`, `ERR_ROTATE_ENV_KEYS`, `ERR_RUN_STOPPED`
 */
export async function promoteStoredKey(deps: Dependencies, name: KeyName): Promise<ChangedKey> {
  return withKeyringStore(deps, async (store) => {
    const keys = { ...keysToOpen(deps.keys), previous: [] };
    await assertNoRun(store);
    const keyring = await openServiceKeyring(store, keys, false);
    if (name.purpose === 'field') await assertEnvironmentReads(deps, keyring, name.version);
    const ring = await promoteVersion(deps, store, keys, { ...name, run: null, check: assertNoRun });
    return changedKey({ ring }, name);
  });
}
