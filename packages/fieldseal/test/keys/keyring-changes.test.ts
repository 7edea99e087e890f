/** The changes a ring goes through. */
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.js';
import {
  addKey,
  addPurposeKey,
  createKeyring,
  destroyKey,
  disableKey,
  enableKey,
  promoteKey,
} from '../../src/keys/keyring-changes.js';
import { type Key, KeyringSnapshot } from '../../src/keys/keyring-snapshot.js';
import { RootKey } from '../../src/keys/root-key.js';
import { openSealedKeyring, sealKeyring } from '../../src/keys/sealed-keyring.js';
import { freshRing, MADE_AT_MS } from '../fresh-keyring.js';
import { refusalOf } from '../refusal.js';

const statesOf = (ring: KeyringSnapshot) => Object.fromEntries(ring.keys.map(({ version, state }) => [version, state]));

function withState(ring: KeyringSnapshot, version: string, state: 'disabled' | 'destroyed'): KeyringSnapshot {
  const keys = ring.keys.map((key): Key => {
    if (key.version !== version) return key;
    return { ...key, state, secret: state === 'destroyed' ? null : key.secret };
  });
  return new KeyringSnapshot(ring.id, ring.generation + 1, keys);
}

describe('a first ring', () => {
  it('adopts the current key as v1, the primary, and previous keys as keys that only read', () => {
    const [current, one, two] = [Secret.random(32), Secret.random(32), Secret.random(32)];
    const ring = createKeyring(current, [one, two], MADE_AT_MS);
    expect(ring.generation).toBe(1);
    expect(ring.id).toMatch(/^[0-9a-f]{32}$/);
    expect(statesOf(ring)).toEqual({ v1: 'primary', v2: 'active', v3: 'active' });
    expect(ring.keys.map(({ purpose, createdAt }) => [purpose, createdAt])).toEqual(
      Array(3).fill(['field', '2026-02-26T10:00:00.000Z']),
    );
    expect(ring.findSecret(current)?.version).toBe('v1');
    expect(ring.findSecret(two)?.version).toBe('v3');
  });

  it('of the same keys has the same key ids on every installation, and another ring id', () => {
    const secrets = [Secret.from(Buffer.alloc(32, 1)), Secret.from(Buffer.alloc(32, 2))] as const;
    const [one, two] = [1, 2].map(() => createKeyring(secrets[0], [secrets[1]], MADE_AT_MS)) as [
      KeyringSnapshot,
      KeyringSnapshot,
    ];
    expect(one.keys.map(({ id }) => id)).toEqual(two.keys.map(({ id }) => id));
    // HKDF-SHA256(key, salt "fieldseal/key-id/v1", no info, 4), fixed for good; computed in Python.
    expect(one.keys.map(({ id }) => id)).toEqual([205015046, 3171098717]);
    expect(one.id).not.toBe(two.id);
  });
});

describe('adding a key', () => {
  it('gives it the next version, whatever its purpose-mates are called', () => {
    const first = addKey(freshRing(2), null, 'pending', MADE_AT_MS + 1000);
    expect(first.version).toBe('v3');
    const second = addKey(first.ring, null, 'active', MADE_AT_MS + 2000);
    expect(second.version).toBe('v4');
    expect(statesOf(second.ring)).toEqual({ v1: 'primary', v2: 'active', v3: 'pending', v4: 'active' });
    expect(second.ring.generation).toBe(3);
    expect(second.ring.key('v4').createdAt).toBe('2026-02-26T10:00:02.000Z');
  });

  it('never reuses the version of a destroyed key', () => {
    const ring = withState(addKey(freshRing(), null, 'active', MADE_AT_MS).ring, 'v2', 'destroyed');
    expect(addKey(ring, null, 'pending', MADE_AT_MS).version).toBe('v3');
  });

  it('draws random keys of 32 bytes with ids of their own', () => {
    let ring = freshRing();
    for (let i = 0; i < 20; i++) ring = addKey(ring, null, 'pending', MADE_AT_MS).ring;
    const secrets = ring.keys.map(({ secret }) => secret?.reveal().toString('hex'));
    expect(new Set(secrets).size).toBe(21);
    expect(new Set(ring.keys.map(({ id }) => id)).size).toBe(21);
    for (const { id, secret } of ring.keys) {
      expect(id).toBeGreaterThan(0);
      expect(secret?.length).toBe(32);
    }
  });

  it('adopts given bytes under the id that a first ring would give them', () => {
    const secret = Secret.random(32);
    const { ring, version } = addKey(freshRing(), secret, 'active', MADE_AT_MS);
    expect(ring.findSecret(secret)?.version).toBe(version);
    expect(ring.key(version).id).toBe(createKeyring(secret, [], MADE_AT_MS).key('v1').id);
  });

  it('refuses bytes that the ring has already', () => {
    const secret = Secret.random(32);
    const { ring } = addKey(freshRing(), secret, 'active', MADE_AT_MS);
    expect(refusalOf(() => addKey(ring, Secret.from(secret.reveal()), 'pending', MADE_AT_MS))).toEqual({
      code: 'ERR_KEY_DUPLICATE',
      message: 'The keyring has this key already, as v2.',
    });
  });

  it('leaves the ring that it was given as it was', () => {
    const ring = freshRing();
    addKey(ring, null, 'pending', MADE_AT_MS);
    expect(ring.generation).toBe(1);
    expect(statesOf(ring)).toEqual({ v1: 'primary' });
  });
});

describe('promoting a key', () => {
  it('makes a pending or an active key the primary, and the old primary one that reads', () => {
    const { ring } = addKey(freshRing(2), null, 'pending', MADE_AT_MS);
    const third = promoteKey(ring, 'v3');
    expect(statesOf(third)).toEqual({ v1: 'active', v2: 'active', v3: 'primary' });
    expect(third.generation).toBe(3);
    expect(third.primary.version).toBe('v3');
    const second = promoteKey(third, 'v2');
    expect(statesOf(second)).toEqual({ v1: 'active', v2: 'primary', v3: 'active' });
  });

  it('that is the primary already changes nothing', () => {
    const ring = freshRing();
    expect(promoteKey(ring, 'v1')).toBe(ring);
  });

  it.each(['disabled', 'destroyed'] as const)('that is %s is refused', (state) => {
    const ring = withState(freshRing(2), 'v2', state);
    expect(refusalOf(() => promoteKey(ring, 'v2'))).toEqual({
      code: 'ERR_KEY_STATE',
      message: `The key v2 is ${state} and cannot become the primary.`,
    });
  });

  it('that the ring does not have is refused', () => {
    expect(refusalOf(() => promoteKey(freshRing(), 'v2'))).toEqual({
      code: 'ERR_KEY_NOT_FOUND',
      message: 'The keyring has no key v2.',
    });
  });

  it('leaves keys of other purposes alone', () => {
    const ring = freshRing(2);
    const index: Key = { ...ring.key('v1'), purpose: 'blind-index', id: 1, secret: Secret.random(32) };
    const promoted = promoteKey(new KeyringSnapshot(ring.id, 1, [...ring.keys, index]), 'v2');
    expect(promoted.keys.map(({ purpose, version, state }) => `${purpose} ${version} ${state}`)).toEqual([
      'field v1 active',
      'field v2 primary',
      'blind-index v1 primary',
    ]);
  });
});

describe('a key for blind indexes', () => {
  const first = addPurposeKey(freshRing(2), 'blind-index', MADE_AT_MS);
  const added = addKey(first, null, 'pending', MADE_AT_MS, 'blind-index');
  const shown = (ring: KeyringSnapshot) =>
    ring.keys.map(({ purpose, version, state }) => `${purpose} ${version} ${state}`);

  it('is made once, the primary from the start, with an id and bytes of its own', () => {
    expect(shown(first)).toEqual(['field v1 primary', 'field v2 active', 'blind-index v1 primary']);
    expect(first.generation).toBe(2);
    expect(addPurposeKey(first, 'blind-index', MADE_AT_MS)).toBe(first);
    expect(new Set(first.keys.map(({ id }) => id)).size).toBe(3);
    expect(first.key('v1', 'blind-index').secret?.length).toBe(32);
  });

  it('is added beside it under versions of its own', () => {
    expect(added.version).toBe('v2');
    expect(shown(added.ring)).toEqual([...shown(first), 'blind-index v2 pending']);
    expect(addKey(first, null, 'pending', MADE_AT_MS).version).toBe('v3');
  });

  it('is promoted for itself, and field keys stay as they are', () => {
    const promoted = promoteKey(added.ring, 'v2', 'blind-index');
    expect(shown(promoted)).toEqual([
      'field v1 primary',
      'field v2 active',
      'blind-index v1 active',
      'blind-index v2 primary',
    ]);
    expect(promoted.generation).toBe(added.ring.generation + 1);
    expect(promoted.purposeKey('blind-index')?.version).toBe('v2');
    expect(promoted.primary.version).toBe('v1');
    expect(promoteKey(promoted, 'v2', 'blind-index')).toBe(promoted);
  });

  it('that is promoted has to be there for that purpose', () => {
    expect(refusalOf(() => promoteKey(freshRing(2), 'v2', 'blind-index'))).toEqual({
      code: 'ERR_KEY_NOT_FOUND',
      message: 'The keyring has no key v2.',
    });
  });
});

describe('disabling a key', () => {
  const ring = promoteKey(addKey(freshRing(2), null, 'pending', MADE_AT_MS).ring, 'v3');

  it('takes an active key out of reading, and changes nothing of the others', () => {
    const disabled = disableKey(ring, 'v1', 'field');
    expect(statesOf(disabled)).toEqual({ v1: 'disabled', v2: 'active', v3: 'primary' });
    expect(disabled.generation).toBe(ring.generation + 1);
    expect(disabled.readable.map(({ version }) => version)).toEqual(['v3', 'v2']);
    expect(disabled.key('v1').secret?.length).toBe(32);
    expect(statesOf(ring)['v1']).toBe('active');
  });

  it('that is disabled already changes nothing', () => {
    const disabled = disableKey(ring, 'v1', 'field');
    expect(disableKey(disabled, 'v1', 'field')).toBe(disabled);
  });

  it('is for one purpose only', () => {
    const both = addPurposeKey(ring, 'blind-index', MADE_AT_MS);
    const added = addKey(both, null, 'active', MADE_AT_MS, 'blind-index').ring;
    const disabled = disableKey(added, 'v2', 'blind-index');
    expect(disabled.key('v2', 'blind-index').state).toBe('disabled');
    expect(disabled.key('v2').state).toBe('active');
  });

  it.each(['primary', 'pending', 'destroyed'] as const)('that is %s is refused', (state) => {
    const pending = addKey(freshRing(2), null, 'pending', MADE_AT_MS).ring;
    const version = { primary: 'v1', pending: 'v3', destroyed: 'v2' }[state];
    const of = state === 'destroyed' ? withState(pending, 'v2', state) : pending;
    expect(refusalOf(() => disableKey(of, version, 'field'))).toEqual({
      code: 'ERR_KEY_STATE',
      message: `The key ${version} is ${state}; only an active key can be disabled.`,
    });
  });

  it('that the ring does not have is refused', () => {
    expect(refusalOf(() => disableKey(ring, 'v9', 'field'))).toEqual({
      code: 'ERR_KEY_NOT_FOUND',
      message: 'The keyring has no key v9.',
    });
    expect(refusalOf(() => disableKey(ring, 'v1', 'blind-index')).code).toBe('ERR_KEY_NOT_FOUND');
  });
});

describe('enabling a key', () => {
  const ring = disableKey(freshRing(2), 'v2', 'field');

  it('lets a disabled key read again', () => {
    const enabled = enableKey(ring, 'v2', 'field');
    expect(statesOf(enabled)).toEqual({ v1: 'primary', v2: 'active' });
    expect(enabled.generation).toBe(ring.generation + 1);
    expect(enabled.readable.map(({ version }) => version)).toEqual(['v1', 'v2']);
    expect(enableKey(enabled, 'v2', 'field')).toBe(enabled);
  });

  it('that is the primary, or destroyed, is refused', () => {
    expect(refusalOf(() => enableKey(ring, 'v1', 'field'))).toEqual({
      code: 'ERR_KEY_STATE',
      message: 'The key v1 is primary; only a disabled key can be enabled.',
    });
    expect(refusalOf(() => enableKey(destroyKey(ring, 'v2', 'field'), 'v2', 'field'))).toEqual({
      code: 'ERR_KEY_STATE',
      message: 'The key v2 is destroyed; only a disabled key can be enabled.',
    });
  });
});

describe('destroying a key', () => {
  const [current, previous] = [Secret.random(32), Secret.random(32)];
  const ring = disableKey(createKeyring(current, [previous], MADE_AT_MS), 'v2', 'field');

  it('forgets its bytes and keeps its row', () => {
    const destroyed = destroyKey(ring, 'v2', 'field');
    expect(destroyed.key('v2')).toMatchObject({ state: 'destroyed', secret: null, id: ring.key('v2').id });
    expect(destroyed.generation).toBe(ring.generation + 1);
    expect(destroyed.findSecret(previous)).toBeNull();
    expect(destroyed.knowsId(ring.key('v2').id)).toBe(true);
    expect(destroyKey(destroyed, 'v2', 'field')).toBe(destroyed);
    expect(ring.key('v2').secret?.length).toBe(32);
  });

  it('is stored without a wrap, and comes back as it is', () => {
    const root = new RootKey(Secret.random(32));
    const stored = sealKeyring(destroyKey(ring, 'v2', 'field'), [root]);
    expect(stored.keys.map(({ wraps }) => Object.keys(wraps).length)).toEqual([1, 0]);
    expect(openSealedKeyring(stored, root).key('v2')).toMatchObject({ state: 'destroyed', secret: null });
  });

  it.each(['v1', 'v3', 'v4'])('that is not disabled is refused: %s', (version) => {
    const more = addKey(addKey(ring, null, 'active', MADE_AT_MS).ring, null, 'pending', MADE_AT_MS).ring;
    expect(refusalOf(() => destroyKey(more, version, 'field'))).toEqual({
      code: 'ERR_KEY_STATE',
      message: `The key ${version} is ${more.key(version).state}; only a disabled key can be destroyed.`,
    });
  });

  it('keeps the environment from bringing it back', () => {
    expect(refusalOf(() => addKey(destroyKey(ring, 'v2', 'field'), previous, 'active', MADE_AT_MS))).toEqual({
      code: 'ERR_KEY_STATE',
      message: 'This key was destroyed as v2, for good; take it out of ENCRYPTION_KEY_PREVIOUS.',
    });
  });
});
