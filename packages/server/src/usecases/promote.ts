/** The promotion of a key that a run has committed as pending. */
import { type KeyPurpose, type KeyringSnapshot, promoteKey } from 'fieldseal';
import type { Store } from '../store/store.js';
import type { Dependencies } from './dependencies.js';
import type { ClaimedRun } from './drive-run.js';
import { auditKey, changeKeyring, type GivenKeys, openServiceKeyring, readBack } from './service-keyring.js';
import { waitForReaders } from './wait-for-readers.js';

/**
 * Step by step as SWEEPS.md §1 has it: seen to come back, known to every reader, primary, known to be so, old writers done.
 * Returns the ring to sweep with.
 */
export async function promote(
  deps: Dependencies,
  store: Store,
  keys: GivenKeys,
  purpose: KeyPurpose,
  { run, fence }: ClaimedRun,
): Promise<KeyringSnapshot> {
  const version = run.newKeyVersion as string;
  let keyring = await openServiceKeyring(store, keys, true);
  if (keyring.ring.key(version, purpose).state !== 'primary') {
    keyring = await readBack(store, keyring);
    await waitForReaders(deps, store, keyring.ring.generation, { id: run.id, fence });
    const before = keyring;
    keyring = await store.transaction(async (tx) => {
      const changed = await changeKeyring(tx, before, promoteKey(before.ring, version, purpose));
      await auditKey(tx, 'key_promoted', version, { purpose, previous: run.oldKeyVersion });
      return changed;
    });
  }
  await waitForReaders(deps, store, keyring.ring.generation, { id: run.id, fence });
  await store.writerBarrier();
  await store.keyring.forgetReaders(3600);
  return keyring.ring;
}
