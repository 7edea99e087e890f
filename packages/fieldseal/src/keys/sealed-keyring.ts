/** A snapshot to its stored form and back, under one root key or several. */
import { timingSafeEqualHex } from '../core/timing-safe-equal-hex.js';
import { FieldsealError } from '../errors.js';
import { type Key, KeyringSnapshot } from './keyring-snapshot.js';
import type { RootKey } from './root-key.js';
import type { StoredKeyring } from './stored-keyring.js';

/** Wraps every key under each of `roots` and signs the state with each. Wraps under any other root are gone then. */
export function sealKeyring(ring: KeyringSnapshot, roots: readonly RootKey[]): StoredKeyring {
  const keys = ring.keys.map(({ secret, ...key }) => ({
    ...key,
    wraps: Object.fromEntries(secret ? roots.map((root) => [root.fingerprint, root.wrap(ring.id, key, secret)]) : []),
  }));
  const unsigned = { id: ring.id, generation: ring.generation, keys };
  return { ...unsigned, macs: Object.fromEntries(roots.map((root) => [root.fingerprint, root.mac(unsigned)])) };
}

/** Whether its ids and its generation are numbers that a MAC can stand over, and its id is written in the one way. */
function isWellFormed({ id, generation, keys }: StoredKeyring): boolean {
  const isGeneration = Number.isSafeInteger(generation) && generation >= 0;
  return /^[0-9a-f]{32}$/.test(id) && isGeneration && keys.every((key) => key.id >>> 0 === key.id);
}

/**
 * Opens a stored ring.
 * @throws FieldsealError `ERR_KEYRING_ROOT` when it is not wrapped under `root`; `ERR_KEYRING_TAMPERED` when its state
 * or a wrap is not what the holder of the root wrote
 */
export function openSealedKeyring(stored: StoredKeyring, root: RootKey): KeyringSnapshot {
  const mac = stored.macs[root.fingerprint];
  if (mac === undefined) {
    throw new FieldsealError(
      'ERR_KEYRING_ROOT',
      'The stored keyring is not wrapped under this root key; set ENCRYPTION_KEY (or ROOT_KEY) to the one it was made with.',
    );
  }
  const tampered = () =>
    new FieldsealError(
      'ERR_KEYRING_TAMPERED',
      'The stored keyring was changed by someone without the root key; restore its tables from a backup.',
    );
  if (!isWellFormed(stored) || !timingSafeEqualHex(mac, root.mac(stored))) throw tampered();
  const keys = stored.keys.map(({ wraps, ...key }): Key => {
    const wrapped = wraps[root.fingerprint];
    if (wrapped === undefined && key.state !== 'destroyed') throw tampered();
    return { ...key, secret: wrapped === undefined ? null : root.unwrap(stored.id, key, wrapped) };
  });
  return new KeyringSnapshot(stored.id, stored.generation, keys);
}
