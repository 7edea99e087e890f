/** A ring of two keys, as after one rotation, with the Fernet of each and of a key outside it. */
import { addKey, createKeyring, Fernet, type KeyringSnapshot, promoteKey, Secret } from 'fieldseal';

export interface FreshRing {
  /** `v1` reads, `v2` is the primary. */
  readonly ring: KeyringSnapshot;
  readonly older: Fernet;
  readonly primary: Fernet;
  readonly foreign: Fernet;
}

export function freshRing(): FreshRing {
  const [first, second, other] = [Secret.random(32), Secret.random(32), Secret.random(32)] as const;
  const nowMs = Date.UTC(2026, 1, 26, 10);
  const added = addKey(createKeyring(first, [], nowMs), second, 'pending', nowMs);
  return {
    ring: promoteKey(added.ring, added.version),
    older: new Fernet(first),
    primary: new Fernet(second),
    foreign: new Fernet(other),
  };
}
