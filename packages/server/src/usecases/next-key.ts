/** The key that a rotation moves to, of the fields or of the blind indexes. */
import { addKey, type KeyPurpose, type KeyringSnapshot, type RootKey, type Secret } from 'fieldseal';
import type { NewRun, StoreTransaction } from '../store/store.js';
import { auditKey, changeKeyring, nextGeneration, type ServiceKeyring } from './service-keyring.js';

/** What is rotated, and the kind of run that does it. */
const RUN_KINDS = { field: 'rotate', 'blind-index': 'index' } as const satisfies Partial<Record<KeyPurpose, string>>;

/** A key that is not primary yet, in the ring that has it. */
export interface NextKey {
  readonly purpose: keyof typeof RUN_KINDS;
  /** The ring that was given, if the key was in it already. */
  readonly ring: KeyringSnapshot;
  readonly version: string;
  /** The version of the primary key; null: the ring has none of that purpose. */
  readonly oldVersion: string | null;
  /** Whether an operator chose it. */
  readonly isGiven: boolean;
}

/** @param given the key to move to; null: one that a cancelled rotation left unused, or else a new random one */
export function withNextKey(ring: KeyringSnapshot, purpose: NextKey['purpose'], given: Secret | null): NextKey {
  const keys = ring.keys.filter((key) => key.purpose === purpose);
  const oldVersion = keys.find(({ state }) => state === 'primary')?.version ?? null;
  const known = given ? ring.findSecret(given) : keys.find(({ state }) => state === 'pending');
  const found = known ? { ring, version: known.version } : addKey(ring, given, 'pending', Date.now(), purpose);
  return { ...found, purpose, oldVersion, isGiven: given !== null };
}

/** The run that is to use the key. */
export function rotationTo(next: NextKey, by: Pick<NewRun, 'notes' | 'initiatedBy'>): NewRun {
  return { kind: RUN_KINDS[next.purpose], oldKeyVersion: next.oldVersion, newKeyVersion: next.version, ...by };
}

/**
 * Stores what the key and `roots` change of the ring, with an audit row for a new key. In one transaction with the run
 * that is to use it: a crash leaves both or neither.
 * @throws FieldsealError of `changeKeyring`
 */
export async function storeNextKey(
  tx: StoreTransaction,
  keyring: ServiceKeyring,
  { purpose, ring, version, isGiven }: NextKey,
  roots: readonly RootKey[] = keyring.roots,
): Promise<void> {
  const isNew = ring !== keyring.ring;
  if (!isNew && roots.length === keyring.roots.length) return;
  await changeKeyring(tx, keyring, isNew ? ring : nextGeneration(ring), roots);
  if (isNew) await auditKey(tx, 'key_added', version, { purpose, state: 'pending', adopted: isGiven });
}
