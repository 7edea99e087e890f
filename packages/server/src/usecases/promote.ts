/** The promotion of a pending key: of one that a run has committed, or of one that an operator names. */
import { type KeyPurpose, type KeyringSnapshot, promoteKey } from 'fieldseal';
import type { Store, StoreTransaction } from '../store/store.js';
import type { Dependencies } from './dependencies.js';
import type { ClaimedRun } from './drive-run.js';
import { auditKey, changeKeyring, type GivenKeys, openServiceKeyring, readBack } from './service-keyring.js';
import { waitForReaders } from './wait-for-readers.js';

/** Which key becomes the primary of its purpose. */
export interface Promotion {
  readonly version: string;
  readonly purpose: KeyPurpose;
  /** The run that waits for it; null: none does. */
  readonly run: { readonly id: number; readonly fence: number } | null;
  /** Refuses the change, in its transaction. */
  check(tx: StoreTransaction): Promise<void>;
}

/**
 * Step by step as SWEEPS.md §1 has it: seen to come back, known to every reader, primary, known to be so, old writers done.
 * Returns the ring that has it.
 */
export async function promoteVersion(
  deps: Dependencies,
  store: Store,
  keys: GivenKeys,
  { version, purpose, run, check }: Promotion,
): Promise<KeyringSnapshot> {
  let keyring = await openServiceKeyring(store, keys, true);
  // Refuses at once what cannot become the primary.
  if (promoteKey(keyring.ring, version, purpose) !== keyring.ring) {
    keyring = await readBack(store, keyring);
    await waitForReaders(deps, store, keyring.ring.generation, run);
    const before = keyring;
    const previous = before.ring.keys.find((key) => key.purpose === purpose && key.state === 'primary')?.version;
    keyring = await store.exclusiveTransaction(async (tx) => {
      await check(tx);
      const changed = await changeKeyring(tx, before, promoteKey(before.ring, version, purpose));
      await auditKey(tx, 'key_promoted', version, { purpose, previous: previous ?? null });
      return changed;
    });
  }
  await waitForReaders(deps, store, keyring.ring.generation, run);
  await store.writerBarrier();
  await store.keyring.forgetReaders(3600);
  return keyring.ring;
}

/** The promotion of the key that a run moves to; returns the ring to sweep with. */
export function promote(
  deps: Dependencies,
  store: Store,
  keys: GivenKeys,
  purpose: KeyPurpose,
  { run, fence }: ClaimedRun,
): Promise<KeyringSnapshot> {
  const version = run.newKeyVersion as string;
  return promoteVersion(deps, store, keys, { version, purpose, run: { id: run.id, fence }, check: async () => {} });
}
