/** The stored keyring as the service opens, makes and changes it. */
import {
  addKey,
  addPurposeKey,
  createKeyring,
  FieldsealError,
  isFieldsealError,
  type KeyPurpose,
  KeyringSnapshot,
  openSealedKeyring,
  RootKey,
  type Secret,
  sealKeyring,
} from 'fieldseal';
import type { Store, StoreTransaction } from '../store/store.js';

/** The keys that a process was given for opening the ring. */
export interface GivenKeys {
  /** Adopted as `v1` when there is no ring yet (`ENCRYPTION_KEY`). */
  readonly current: Secret | null;
  /** Added to the ring as keys that only read. */
  readonly previous: readonly Secret[];
  /** Root keys, each of which may wrap the ring; a new ring is wrapped under the first. */
  readonly roots: readonly Secret[];
}

/** An open ring, with what is needed to change it. */
export interface ServiceKeyring {
  readonly ring: KeyringSnapshot;
  /** The given roots that the ring is wrapped under. */
  readonly roots: readonly RootKey[];
  /** Whether it is also wrapped under a root that was not given: then it can be read, but not changed. */
  readonly hasOtherRoots: boolean;
  /** Whether it was made just now. */
  readonly isNew: boolean;
}

async function create(store: Store, given: GivenKeys, write: boolean): Promise<ServiceKeyring> {
  const [root] = given.roots;
  if (!given.current || !root) {
    throw new FieldsealError('ERR_KEY_MISSING', 'ENCRYPTION_KEY is not set; make one with `fieldseal keygen`.');
  }
  // A ring that vanished was deleted, or its tables were not restored: a new one would make every value unreadable.
  if ((await store.audit.list({ action: 'keyring_created', limit: 1 })).length > 0) {
    throw new FieldsealError(
      'ERR_KEYRING_NOT_FOUND',
      'The database had a keyring, and it is gone; restore keyring_state and encryption_keys from a backup.',
    );
  }
  // With every key it will need, so that the service can start in the middle of a rotation from OLD to NEW.
  const ring = addPurposeKey(createKeyring(given.current, given.previous, Date.now()), 'api-key-hash', Date.now());
  const roots = [new RootKey(root)];
  if (write) {
    await store.transaction(async (tx) => {
      await tx.keyring.save(sealKeyring(ring, roots), null);
      const details = JSON.stringify({ versions: ring.keys.map((key) => key.version), root: roots[0]?.fingerprint });
      await tx.audit.insert({
        action: 'keyring_created',
        resourceType: 'keyring',
        resourceId: ring.id,
        status: 'success',
        details,
      });
    });
  }
  return { ring, roots, hasOtherRoots: false, isNew: true };
}

/**
 * Opens the stored ring, or makes one out of `given.current`. With `write` false nothing is stored.
 * @throws FieldsealError `ERR_KEY_MISSING`, `ERR_KEYRING_ROOT`, `ERR_KEYRING_TAMPERED`
 */
export async function openServiceKeyring(store: Store, given: GivenKeys, write: boolean): Promise<ServiceKeyring> {
  const stored = await store.keyring.load();
  if (!stored) {
    try {
      return await create(store, given, write);
    } catch (error) {
      // Another process was faster by a moment: its ring is the ring.
      if (isFieldsealError(error) && error.code === 'ERR_KEYRING_CONFLICT')
        return openServiceKeyring(store, given, write);
      throw error;
    }
  }
  if (given.roots.length === 0) {
    throw new FieldsealError(
      'ERR_KEY_MISSING',
      'ENCRYPTION_KEY (or ROOT_KEY) is not set; set it to the one that the stored keyring was made with.',
    );
  }
  const all = given.roots.map((secret) => new RootKey(secret));
  const roots = all.filter((root) => stored.macs[root.fingerprint] !== undefined);
  if (roots.length === 0 && given.roots.length === 1) {
    const name = given.roots[0] === given.current ? 'ENCRYPTION_KEY' : 'ROOT_KEY';
    throw new FieldsealError(
      'ERR_KEYRING_ROOT',
      `The stored keyring is not wrapped under ${name}; set ${name} to the key that it was made with.`,
    );
  }
  const ring = openSealedKeyring(stored, roots[0] ?? (all[0] as RootKey));
  if (given.current && !ring.findSecret(given.current)) {
    throw new FieldsealError(
      'ERR_KEYRING_ROOT',
      'ENCRYPTION_KEY (or OLD) is not a key of the stored keyring; give one that is.',
    );
  }
  const hasOtherRoots = Object.keys(stored.macs).length > roots.length;
  const opened: ServiceKeyring = { ring, roots, hasOtherRoots, isNew: false };
  return adoptPrevious(store, opened, given.previous, write);
}

/** `ENCRYPTION_KEY_PREVIOUS` may name keys that the ring does not have yet. */
async function adoptPrevious(
  store: Store,
  opened: ServiceKeyring,
  previous: readonly Secret[],
  write: boolean,
): Promise<ServiceKeyring> {
  let result = opened;
  for (const secret of previous) {
    if (result.ring.findSecret(secret)) continue;
    const { ring, version } = addKey(result.ring, secret, 'active', Date.now());
    const before = result;
    result = write
      ? await store.transaction(async (tx) => {
          const changed = await changeKeyring(tx, before, ring);
          await auditKey(tx, 'key_added', version, { state: 'active', adopted: true });
          return changed;
        })
      : { ...before, ring };
  }
  return result;
}

/**
 * Stores a changed ring in the caller's transaction, wrapped under `roots`.
 * @throws FieldsealError `ERR_KEYRING_CONFLICT`, or `ERR_ROOT_CHANGE_UNFINISHED` when the ring is also wrapped under a root that
 * this process does not have: a change would lock out whoever has only that one
 */
export async function changeKeyring(
  tx: StoreTransaction,
  current: ServiceKeyring,
  ring: KeyringSnapshot,
  roots: readonly RootKey[] = current.roots,
): Promise<ServiceKeyring> {
  if (current.hasOtherRoots) {
    throw new FieldsealError(
      'ERR_ROOT_CHANGE_UNFINISHED',
      'The keyring is wrapped under a second root key: for a rewrap, which ends with `fieldseal keyring rewrap NEW --finalize`, or for a rotation; finish it with `fieldseal rotate OLD NEW`, then the same with --finalize.',
    );
  }
  await tx.keyring.save(sealKeyring(ring, roots), current.ring.generation);
  return { ring, roots, hasOtherRoots: false, isNew: false };
}

/** The same keys at the next generation, for a change of roots alone. */
export function nextGeneration(ring: KeyringSnapshot): KeyringSnapshot {
  return new KeyringSnapshot(ring.id, ring.generation + 1, ring.keys);
}

/** Reads the ring back and opens it: a key is used only after it has been seen to come back. */
export async function readBack(store: Store, expected: ServiceKeyring): Promise<ServiceKeyring> {
  const stored = await store.keyring.load();
  const root = expected.roots[0] as RootKey;
  if (stored?.generation !== expected.ring.generation) {
    throw new FieldsealError(
      'ERR_KEYRING_CONFLICT',
      'Another process changed the keyring at the same time; start again.',
    );
  }
  return { ...expected, ring: openSealedKeyring(stored, root) };
}

/** The ring with a key of that purpose in it: rings of the first days have none, and only some ever need one. */
export async function withPurposeKey(
  store: Store,
  keyring: ServiceKeyring,
  purpose: Exclude<KeyPurpose, 'field'>,
): Promise<ServiceKeyring> {
  if (keyring.ring.purposeKey(purpose)) return keyring;
  const ring = addPurposeKey(keyring.ring, purpose, Date.now());
  const changed = await store.transaction(async (tx) => {
    const saved = await changeKeyring(tx, keyring, ring);
    await auditKey(tx, 'key_added', 'v1', { purpose, state: 'primary' });
    return saved;
  });
  return readBack(store, changed);
}

/** One audit row about a key. */
export async function auditKey(
  tx: StoreTransaction,
  action: 'key_added' | 'key_promoted' | 'key_disabled' | 'key_enabled' | 'key_destroyed',
  version: string,
  details: Record<string, unknown>,
): Promise<void> {
  await tx.audit.insert({
    action,
    resourceType: 'encryption_key',
    resourceId: version,
    status: 'success',
    details: JSON.stringify(details),
  });
}
