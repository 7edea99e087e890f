/** The stored keyring as the `keyring` commands change it: one transaction, in which no run and no other change begins. */
import { FieldsealError, type KeyState } from 'fieldseal';
import { openStore } from '../store/open-store.js';
import type { Store, StoreTransaction } from '../store/store.js';
import type { ChangeablePurpose } from './changeable-purposes.js';
import type { Dependencies } from './dependencies.js';
import { listKeys } from './list-keys.js';
import { keysToOpen } from './service.js';
import { openServiceKeyring, type ServiceKeyring } from './service-keyring.js';

/** Which key a command is about. */
export interface KeyName {
  /** `v1`, `v2`, … */
  readonly version: string;
  readonly purpose: ChangeablePurpose;
}

/** A key after a command, and the generation of the ring that has it so. */
export interface ChangedKey extends KeyName {
  readonly state: KeyState;
  readonly generation: number;
}

/** The key as it is in the ring. */
export function changedKey({ ring }: Pick<ServiceKeyring, 'ring'>, { version, purpose }: KeyName): ChangedKey {
  return { version, purpose, state: ring.key(version, purpose).state, generation: ring.generation };
}

/**
 * Opens the store of a database that has a keyring. One without is left as it is.
 * @throws FieldsealError `ERR_KEYRING_NOT_FOUND`, `ERR_KEYRING_ROOT`, `ERR_KEYRING_TAMPERED`, `ERR_KEY_MISSING`
 */
export async function withKeyringStore<T>(deps: Dependencies, work: (store: Store) => Promise<T>): Promise<T> {
  await listKeys(deps);
  const { target, schema } = deps;
  const store = await openStore(target, { schema, mustExist: true });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Opens the newest ring in an exclusive transaction, and runs `work` in it. */
export async function inKeyringTransaction<T>(
  { keys }: Pick<Dependencies, 'keys'>,
  store: Store,
  work: (tx: StoreTransaction, keyring: ServiceKeyring) => Promise<T>,
): Promise<T> {
  return store.exclusiveTransaction(async (tx) => {
    // Keys of the environment are adopted by sweeps, in transactions of their own.
    const given = { ...keysToOpen(keys), previous: [] };
    return work(tx, await openServiceKeyring({ ...store, ...tx }, given, false));
  });
}

/**
 * A run reads with the ring that it began with, and a rotation counts on its key staying the primary.
 * @throws FieldsealError `ERR_RUN_UNFINISHED`
 */
export async function assertNoRun({ runs }: StoreTransaction): Promise<void> {
  const run = (await runs.unfinished()).find(({ kind }) => kind !== 'verify');
  if (!run) return;
  throw new FieldsealError(
    'ERR_RUN_UNFINISHED',
    `Run ${run.id} (${run.kind}) is unfinished and works with the keys as they are; finish it with \`fieldseal resume ${run.id}\` or give it up with \`fieldseal cancel ${run.id}\`.`,
  );
}
