/** The format of a sealed ring, held by a fixed vector and by a twin. */
import { describe, expect, it } from 'vitest';
import { decodeFernetKey, Fernet } from '../../src/core/fernet.js';
import { Secret } from '../../src/core/secret.js';
import { RootKey } from '../../src/keys/root-key.js';
import { openSealedKeyring, sealKeyring } from '../../src/keys/sealed-keyring.js';
import type { StoredKeyring } from '../../src/keys/stored-keyring.js';
import { freshRing } from '../fresh-keyring.js';
import { readVectors } from '../read-vectors.js';
import { DECRYPT_FAILED, refusalOf } from '../refusal.js';
import { twinFingerprint, twinMac, twinUnwrap } from './root-key-twin.js';

interface KeyringVector {
  readonly root_key: string;
  readonly secrets_hex: Record<string, string | null>;
  readonly tokens: Record<string, string>;
  readonly sealed: StoredKeyring;
}

const vector = readVectors<KeyringVector>('keyring.json');
const rootBytes = Buffer.from(vector.root_key, 'base64url');
const root = new RootKey(decodeFernetKey(vector.root_key));

describe('the ring of the vector', () => {
  it('opens to its keys, in every state and of every purpose', () => {
    const ring = openSealedKeyring(vector.sealed, root);
    expect(ring.id).toBe(vector.sealed.id);
    expect(ring.generation).toBe(Number.MAX_SAFE_INTEGER);
    const secrets = ring.keys.map(({ purpose, version, secret }) => [
      `${purpose} ${version}`,
      secret?.reveal().toString('hex') ?? null,
    ]);
    expect(Object.fromEntries(secrets)).toEqual(vector.secrets_hex);
    expect(ring.readable.map(({ version }) => version)).toEqual(['v3', 'v4', 'v2', 'v1']);
  });

  it('opens the tokens that its keys wrote', () => {
    const ring = openSealedKeyring(vector.sealed, root);
    expect(Object.keys(vector.tokens).sort()).toEqual(['v1', 'v2', 'v3', 'v4']);
    for (const [version, token] of Object.entries(vector.tokens)) {
      expect(new Fernet(ring.key(version).secret as Secret).decrypt(token)).toBe(`written under ${version}`);
    }
  });

  it('has the fingerprint, the MAC and the wraps that the drawing says', () => {
    const fingerprint = twinFingerprint(rootBytes);
    expect(Object.keys(vector.sealed.macs)).toContain(fingerprint);
    expect(twinMac(rootBytes, vector.sealed)).toBe(vector.sealed.macs[fingerprint]);
    for (const key of vector.sealed.keys) {
      const expected = vector.secrets_hex[`${key.purpose} ${key.version}`];
      if (expected === null) expect(key.wraps).toEqual({});
      else expect(twinUnwrap(rootBytes, vector.sealed.id, key).toString('hex')).toBe(expected);
    }
  });
});

describe('a root key', () => {
  it('seals as its twin reads', () => {
    for (let i = 0; i < 20; i++) {
      const secret = Secret.random(32);
      const bytes = secret.reveal();
      const ring = freshRing(3);
      const sealed = sealKeyring(ring, [new RootKey(secret)]);
      const fingerprint = twinFingerprint(bytes);
      expect(sealed.macs).toEqual({ [fingerprint]: twinMac(bytes, sealed) });
      for (const key of sealed.keys) {
        expect(twinUnwrap(bytes, sealed.id, key).equals((ring.key(key.version).secret as Secret).reveal())).toBe(true);
      }
    }
  });

  it('wraps a key differently each time, in 98 characters', () => {
    const name = { version: 'v1', id: 1, purpose: 'field' } as const;
    const secret = Secret.random(32);
    const wraps = Array.from({ length: 50 }, () => root.wrap('00'.repeat(16), name, secret));
    expect(new Set(wraps).size).toBe(50);
    for (const wrap of wraps) {
      expect(wrap).toMatch(/^[\w-]{98}$/);
      expect(root.unwrap('00'.repeat(16), name, wrap).equals(secret)).toBe(true);
    }
  });

  it('opens a wrap under no other name, ring or root, and no changed one', () => {
    const name = { version: 'v1', id: 1, purpose: 'field' } as const;
    const wrap = root.wrap('00'.repeat(16), name, Secret.random(32));
    const ring = '00'.repeat(16);
    for (const unwrap of [
      () => root.unwrap('11'.repeat(16), name, wrap),
      () => root.unwrap(ring, { ...name, version: 'v2' }, wrap),
      () => root.unwrap(ring, { ...name, id: 2 }, wrap),
      () => root.unwrap(ring, { ...name, purpose: 'audit-hmac' }, wrap),
      () => new RootKey(Secret.random(32)).unwrap(ring, name, wrap),
      () => root.unwrap(ring, name, ''),
      () => root.unwrap(ring, name, wrap.slice(0, -2)),
      () => root.unwrap(ring, name, `${wrap}AA`),
      () => root.unwrap(ring, name, `${wrap}=`),
      () => root.unwrap(ring, name, `${wrap.slice(0, 50)}\n${wrap.slice(50)}`),
      () => root.unwrap(ring, name, `Ag${wrap.slice(2)}`),
    ]) {
      expect(refusalOf(unwrap)).toEqual(DECRYPT_FAILED);
    }
    const bytes = Buffer.from(wrap, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(refusalOf(() => root.unwrap(ring, name, flipped.toString('base64url')))).toEqual(DECRYPT_FAILED);
    }
  });

  it('has 32 bytes', () => {
    for (const length of [0, 16, 31, 33]) {
      expect(refusalOf(() => new RootKey(Secret.random(length)))).toEqual({
        code: 'ERR_KEY_MALFORMED',
        message: 'A root key has 32 bytes.',
      });
    }
  });
});
