/** The changes a ring goes through. Each returns a new snapshot of the next generation and leaves the old one as it was. */
import { deriveKey } from '../core/derive-key.js';
import { Secret } from '../core/secret.js';
import { FieldsealError } from '../errors.js';
import { type Key, KeyringSnapshot, versionNumber } from './keyring-snapshot.js';
import type { KeyPurpose, KeyState } from './stored-keyring.js';

/** The id of an adopted key is made from the key, so that two installations on the same ENCRYPTION_KEY agree. */
function adoptedKeyId(secret: Secret): number {
  return deriveKey(secret.reveal(), 'fieldseal/key-id/v1', '', 4).readUInt32BE(0) || 1;
}

function freshKeyId(keys: readonly Key[]): number {
  for (;;) {
    const id = Secret.random(4).reveal().readUInt32BE(0);
    if (id !== 0 && keys.every((key) => key.id !== id)) return id;
  }
}

/** The destroyed key that was adopted from these bytes; null also for one that was random, whose id tells nothing. */
function findDestroyed(ring: KeyringSnapshot, secret: Secret): Key | null {
  const id = adoptedKeyId(secret);
  return ring.keys.find((key) => key.state === 'destroyed' && key.purpose === 'field' && key.id === id) ?? null;
}

/** A first ring: `current` is adopted as `v1`, the primary; the `previous` keys follow as `v2`, `v3`, … and only read. */
export function createKeyring(current: Secret, previous: readonly Secret[], nowMs: number): KeyringSnapshot {
  const createdAt = new Date(nowMs).toISOString();
  const keys = [current, ...previous].map((secret, i): Key => {
    const state: KeyState = i === 0 ? 'primary' : 'active';
    return { version: `v${i + 1}`, purpose: 'field', id: adoptedKeyId(secret), state, createdAt, secret };
  });
  return new KeyringSnapshot(Secret.random(16).reveal().toString('hex'), 1, keys);
}

/**
 * Adds a key of the next version.
 * @param secret 32 bytes to adopt, or null for random ones
 * @throws FieldsealError `ERR_KEY_DUPLICATE` when the ring has these bytes already, `ERR_KEY_STATE` when it had them and
 * destroyed them
 */
export function addKey(
  ring: KeyringSnapshot,
  secret: Secret | null,
  state: 'pending' | 'active',
  nowMs: number,
  purpose: KeyPurpose = 'field',
): { ring: KeyringSnapshot; version: string } {
  const known = secret && ring.findSecret(secret);
  if (known) throw new FieldsealError('ERR_KEY_DUPLICATE', `The keyring has this key already, as ${known.version}.`);
  const destroyed = secret && findDestroyed(ring, secret);
  if (destroyed) {
    throw new FieldsealError(
      'ERR_KEY_STATE',
      `This key was destroyed as ${destroyed.version}, for good; take it out of ENCRYPTION_KEY_PREVIOUS.`,
    );
  }
  const siblings = ring.keys.filter((key) => key.purpose === purpose);
  const version = `v${Math.max(0, ...siblings.map((key) => versionNumber(key.version))) + 1}`;
  const key: Key = {
    version,
    purpose,
    id: secret ? adoptedKeyId(secret) : freshKeyId(ring.keys),
    state,
    createdAt: new Date(nowMs).toISOString(),
    secret: secret ?? Secret.random(32),
  };
  return { ring: new KeyringSnapshot(ring.id, ring.generation + 1, [...ring.keys, key]), version };
}

/** Adds a random key for a purpose other than fields, if the ring has none: `v1`, the primary from the start. */
export function addPurposeKey(
  ring: KeyringSnapshot,
  purpose: Exclude<KeyPurpose, 'field'>,
  nowMs: number,
): KeyringSnapshot {
  if (ring.purposeKey(purpose)) return ring;
  const key: Key = {
    version: 'v1',
    purpose,
    id: freshKeyId(ring.keys),
    state: 'primary',
    createdAt: new Date(nowMs).toISOString(),
    secret: Secret.random(32),
  };
  return new KeyringSnapshot(ring.id, ring.generation + 1, [...ring.keys, key]);
}

/**
 * Makes a pending or active key the primary of its purpose; the old primary goes on reading.
 * @throws FieldsealError `ERR_KEY_NOT_FOUND`, or `ERR_KEY_STATE` when the key is disabled or destroyed
 */
export function promoteKey(ring: KeyringSnapshot, version: string, purpose: KeyPurpose = 'field'): KeyringSnapshot {
  const { state } = ring.key(version, purpose);
  if (state === 'primary') return ring;
  if (state !== 'pending' && state !== 'active') {
    throw new FieldsealError('ERR_KEY_STATE', `The key ${version} is ${state} and cannot become the primary.`);
  }
  const keys = ring.keys.map((key): Key => {
    if (key.purpose !== purpose) return key;
    if (key.version === version) return { ...key, state: 'primary' };
    return key.state === 'primary' ? { ...key, state: 'active' } : key;
  });
  return new KeyringSnapshot(ring.id, ring.generation + 1, keys);
}

/** The ring of the next generation, with one key changed. */
function withKey(
  ring: KeyringSnapshot,
  version: string,
  purpose: KeyPurpose,
  change: Partial<Pick<Key, 'state' | 'secret'>>,
): KeyringSnapshot {
  const keys = ring.keys.map((key): Key => {
    return key.purpose === purpose && key.version === version ? { ...key, ...change } : key;
  });
  return new KeyringSnapshot(ring.id, ring.generation + 1, keys);
}

/**
 * Takes an active key out of use; it could come back.
 * @throws FieldsealError `ERR_KEY_NOT_FOUND`, or `ERR_KEY_STATE` unless the key is active
 */
export function disableKey(ring: KeyringSnapshot, version: string, purpose: KeyPurpose): KeyringSnapshot {
  const { state } = ring.key(version, purpose);
  if (state === 'disabled') return ring;
  if (state !== 'active') {
    throw new FieldsealError('ERR_KEY_STATE', `The key ${version} is ${state}; only an active key can be disabled.`);
  }
  return withKey(ring, version, purpose, { state: 'disabled' });
}

/**
 * Lets a disabled key read again.
 * @throws FieldsealError `ERR_KEY_NOT_FOUND`, or `ERR_KEY_STATE` unless the key is disabled
 */
export function enableKey(ring: KeyringSnapshot, version: string, purpose: KeyPurpose): KeyringSnapshot {
  const { state } = ring.key(version, purpose);
  if (state === 'active') return ring;
  if (state !== 'disabled') {
    throw new FieldsealError('ERR_KEY_STATE', `The key ${version} is ${state}; only a disabled key can be enabled.`);
  }
  return withKey(ring, version, purpose, { state: 'active' });
}

/**
 * Forgets the bytes of a disabled key; its row stays. Whether anything still needs them the caller has found out.
 * @throws FieldsealError `ERR_KEY_NOT_FOUND`, or `ERR_KEY_STATE` unless the key is disabled
 */
export function destroyKey(ring: KeyringSnapshot, version: string, purpose: KeyPurpose): KeyringSnapshot {
  const { state } = ring.key(version, purpose);
  if (state === 'destroyed') return ring;
  if (state !== 'disabled') {
    throw new FieldsealError('ERR_KEY_STATE', `The key ${version} is ${state}; only a disabled key can be destroyed.`);
  }
  return withKey(ring, version, purpose, { state: 'destroyed', secret: null });
}
