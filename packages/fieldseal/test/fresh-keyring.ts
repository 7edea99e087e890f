/** Keyrings of random keys. */
import { Secret } from '../src/core/secret.js';
import { Keyring } from '../src/keys/keyring.js';
import { createKeyring } from '../src/keys/keyring-changes.js';
import type { KeyringSnapshot } from '../src/keys/keyring-snapshot.js';

/** The moment at which test rings are made. */
export const MADE_AT_MS = Date.UTC(2026, 1, 26, 10);

/** A first ring of `size` random keys, v1 the primary. */
export function freshRing(size = 1): KeyringSnapshot {
  const previous = Array.from({ length: size - 1 }, () => Secret.random(32));
  return createKeyring(Secret.random(32), previous, MADE_AT_MS);
}

/** An open keyring over a fresh ring, one that nobody else can change. */
export function freshKeyring(size = 1): Keyring {
  return new Keyring(freshRing(size));
}
