/** A ring at rest: it comes back under its roots, and not at all once anyone has changed it. */
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.js';
import { addKey } from '../../src/keys/keyring-changes.js';
import { type Key, KeyringSnapshot } from '../../src/keys/keyring-snapshot.js';
import { RootKey } from '../../src/keys/root-key.js';
import { openSealedKeyring, sealKeyring } from '../../src/keys/sealed-keyring.js';
import type { StoredKey, StoredKeyring } from '../../src/keys/stored-keyring.js';
import { freshRing, MADE_AT_MS } from '../fresh-keyring.js';
import { refusalOf } from '../refusal.js';

const TAMPERED = {
  code: 'ERR_KEYRING_TAMPERED',
  message: 'The stored keyring was changed by someone without the root key; restore its tables from a backup.',
};
const WRONG_ROOT = {
  code: 'ERR_KEYRING_ROOT',
  message:
    'The stored keyring is not wrapped under this root key; set ENCRYPTION_KEY (or ROOT_KEY) to the one it was made with.',
};

const root = new RootKey(Secret.random(32));
const other = new RootKey(Secret.random(32));

/** A ring of a primary v1, an active v2, a disabled v3 and a destroyed v4. */
function ringOfAllStates(): KeyringSnapshot {
  const ring = freshRing(4);
  const keys = ring.keys.map((key): Key => {
    if (key.version === 'v3') return { ...key, state: 'disabled' };
    if (key.version === 'v4') return { ...key, state: 'destroyed', secret: null };
    return key;
  });
  return new KeyringSnapshot(ring.id, 7, keys);
}

/** What two rings have in common when they are the same. */
function contents(ring: KeyringSnapshot) {
  const keys = ring.keys.map(({ secret, ...key }) => ({ ...key, hex: secret?.reveal().toString('hex') ?? null }));
  return { id: ring.id, generation: ring.generation, keys };
}

describe('a sealed ring', () => {
  const ring = ringOfAllStates();

  it('comes back the same under its root', () => {
    expect(contents(openSealedKeyring(sealKeyring(ring, [root]), root))).toEqual(contents(ring));
  });

  it('comes back the same under each of two roots', () => {
    const stored = sealKeyring(ring, [root, other]);
    expect(Object.keys(stored.macs).length).toBe(2);
    for (const one of [root, other]) expect(contents(openSealedKeyring(stored, one))).toEqual(contents(ring));
  });

  it('is a plain value: it survives JSON', () => {
    const stored = JSON.parse(JSON.stringify(sealKeyring(ring, [root])));
    expect(contents(openSealedKeyring(stored, root))).toEqual(contents(ring));
  });

  it('keeps nothing of a destroyed key, and no secret in the clear', () => {
    const stored = sealKeyring(ring, [root, other]);
    expect(stored.keys.find(({ version }) => version === 'v4')?.wraps).toEqual({});
    for (const { secret } of ring.keys) {
      if (!secret) continue;
      for (const encoding of ['hex', 'base64', 'base64url'] as const) {
        expect(JSON.stringify(stored)).not.toContain(secret.reveal().toString(encoding).slice(0, 20));
      }
    }
  });

  it('does not open under another root', () => {
    expect(refusalOf(() => openSealedKeyring(sealKeyring(ring, [root]), other))).toEqual(WRONG_ROOT);
  });

  it('does not open under a root that was left out when it was sealed again', () => {
    const again = sealKeyring(openSealedKeyring(sealKeyring(ring, [root, other]), root), [root]);
    expect(refusalOf(() => openSealedKeyring(again, other))).toEqual(WRONG_ROOT);
  });

  it('opens whatever the order of its keys', () => {
    const stored = sealKeyring(ring, [root]);
    const reversed = { ...stored, keys: [...stored.keys].reverse() };
    expect(openSealedKeyring(reversed, root).readable.map(({ version }) => version)).toEqual(['v1', 'v2']);
  });

  it('opens whatever was done to the wraps and the MAC of the other root', () => {
    const stored = sealKeyring(ring, [root, other]);
    const changed: StoredKeyring = {
      ...stored,
      macs: { ...stored.macs, [other.fingerprint]: '00' },
      keys: stored.keys.map((key) => ({ ...key, wraps: { ...key.wraps, [other.fingerprint]: '' } })),
    };
    expect(contents(openSealedKeyring(changed, root))).toEqual(contents(ring));
    expect(refusalOf(() => openSealedKeyring(changed, other))).toEqual(TAMPERED);
  });
});

describe('a sealed ring that was tampered with', () => {
  const stored = sealKeyring(ringOfAllStates(), [root]);
  const at = root.fingerprint;
  const wrapOf = (version: string, ring = stored) =>
    ring.keys.find((key) => key.version === version)?.wraps[at] as string;

  function changing(version: string, change: Partial<Record<keyof StoredKey, unknown>>): StoredKeyring {
    const keys = stored.keys.map((key) => (key.version === version ? ({ ...key, ...change } as StoredKey) : key));
    return { ...stored, keys };
  }
  function swapping(one: string, two: string): StoredKeyring {
    const swap: Record<string, string> = { [one]: wrapOf(two), [two]: wrapOf(one) };
    const keys = stored.keys.map((key) => {
      const wrap = swap[key.version];
      return wrap === undefined ? key : { ...key, wraps: { [at]: wrap } };
    });
    return { ...stored, keys };
  }
  const mac = stored.macs[at] as string;
  // The same keys in another ring under the same root: the strongest wrap that someone could put in.
  const ofAnotherRing = sealKeyring(new KeyringSnapshot('ab'.repeat(16), 7, openSealedKeyring(stored, root).keys), [
    root,
  ]);
  const olderOfThisRing = sealKeyring(openSealedKeyring(stored, root), [root]);
  const withMore = sealKeyring(addKey(openSealedKeyring(stored, root), null, 'active', MADE_AT_MS).ring, [root]);

  const changes: Record<string, StoredKeyring> = {
    'the state of a key': changing('v2', { state: 'primary' }),
    'a disabled key made active again': changing('v3', { state: 'active' }),
    'a key called destroyed': changing('v2', { state: 'destroyed', wraps: {} }),
    'an unknown state': changing('v2', { state: 'retired' }),
    'the version of a key': changing('v2', { version: 'v5' }),
    'the purpose of a key': changing('v2', { purpose: 'blind-index' }),
    'the id of a key': changing('v2', { id: 1 }),
    'an id below 0': changing('v2', { id: -1 }),
    'an id beyond 32 bits': changing('v2', { id: 2 ** 32 }),
    'an id that is no number': changing('v2', { id: Number.NaN }),
    'the time at which a key was made': changing('v2', { createdAt: '2020-01-01T00:00:00.000Z' }),
    'the generation up': { ...stored, generation: 8 },
    'the generation down': { ...stored, generation: 6 },
    'a generation below 0': { ...stored, generation: -1 },
    'a generation that is a fraction': { ...stored, generation: 7.5 },
    'a generation that is no number': { ...stored, generation: Number.NaN },
    'the id of the ring': { ...stored, id: 'ab'.repeat(16) },
    'the id of the ring, with text behind it': { ...stored, id: `${stored.id}zz` },
    'the id of the ring, in capitals': { ...stored, id: stored.id.toUpperCase() },
    'the id of the ring, emptied': { ...stored, id: '' },
    'wraps swapped between keys': swapping('v1', 'v2'),
    'a wrap of another ring': changing('v2', { wraps: { [at]: wrapOf('v2', ofAnotherRing) } }),
    'another wrap of the same key': changing('v2', { wraps: { [at]: wrapOf('v2', olderOfThisRing) } }),
    'a wrap cut off': changing('v2', { wraps: { [at]: wrapOf('v2').slice(0, -4) } }),
    'a wrap written in another base64': changing('v2', { wraps: { [at]: `${wrapOf('v2')}=` } }),
    'a wrap emptied': changing('v2', { wraps: { [at]: '' } }),
    'a wrap removed': changing('v2', { wraps: {} }),
    'a wrap for a destroyed key': changing('v4', { wraps: { [at]: wrapOf('v1') } }),
    'a key removed': { ...stored, keys: stored.keys.filter(({ version }) => version !== 'v2') },
    'every key removed': { ...stored, keys: [] },
    'a key twice': { ...stored, keys: [...stored.keys, stored.keys[1] as StoredKey] },
    'a key added': { ...stored, keys: withMore.keys },
    'the MAC of another ring': { ...stored, macs: ofAnotherRing.macs },
    'a digit of the MAC': { ...stored, macs: { [at]: mac.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')) } },
    'the MAC cut off': { ...stored, macs: { [at]: mac.slice(0, 32) } },
    'the MAC emptied': { ...stored, macs: { [at]: '' } },
  };

  it.each(Object.entries(changes))('is refused: %s', (_name, changed) => {
    expect(refusalOf(() => openSealedKeyring(changed, root))).toEqual(TAMPERED);
  });

  it('is not wrapped under the root once its MAC is removed', () => {
    expect(refusalOf(() => openSealedKeyring({ ...stored, macs: {} }, root))).toEqual(WRONG_ROOT);
  });

  it('is not taken from whoever seals another one under a root of their own', () => {
    const forged = sealKeyring(new KeyringSnapshot(stored.id, 8, freshRing(2).keys), [other]);
    expect(refusalOf(() => openSealedKeyring(forged, root))).toEqual(WRONG_ROOT);
    expect(refusalOf(() => openSealedKeyring({ ...forged, macs: { [at]: mac } }, root))).toEqual(TAMPERED);
  });
});
