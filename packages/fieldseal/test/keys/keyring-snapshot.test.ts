/** A ring at one generation. */
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.js';
import { type Key, KeyringSnapshot, versionNumber } from '../../src/keys/keyring-snapshot.js';
import { freshRing } from '../fresh-keyring.js';
import { refusalOf } from '../refusal.js';

function key(version: string, state: Key['state'], id: number, purpose: Key['purpose'] = 'field'): Key {
  const secret = state === 'destroyed' ? null : Secret.random(32);
  return { version, purpose, id, state, createdAt: '2026-02-26T10:00:00.000Z', secret };
}

const snapshot = (...keys: Key[]) => new KeyringSnapshot('00'.repeat(16), 1, keys);

describe('a snapshot', () => {
  it('reads under its primary first, then the newest first, and not under disabled or destroyed keys', () => {
    const ring = snapshot(
      key('v1', 'active', 1),
      key('v2', 'primary', 2),
      key('v9', 'active', 9),
      key('v10', 'pending', 10),
      key('v11', 'disabled', 11),
      key('v12', 'destroyed', 12),
      key('v1', 'primary', 13, 'audit-hmac'),
    );
    expect(ring.readable.map(({ version }) => version)).toEqual(['v2', 'v10', 'v9', 'v1']);
    expect(ring.primary).toBe(ring.readable[0]);
  });

  it.each([
    ['no primary', [key('v1', 'active', 1)]],
    ['no field key', [key('v1', 'primary', 1, 'audit-hmac')]],
    ['no key', []],
    ['two primaries', [key('v1', 'primary', 1), key('v2', 'primary', 2)]],
    ['a version twice', [key('v1', 'primary', 1), key('v1', 'active', 2)]],
    ['an id twice', [key('v1', 'primary', 1), key('v2', 'active', 1)]],
    ['an id twice across purposes', [key('v1', 'primary', 1), key('v1', 'active', 1, 'blind-index')]],
  ])('with %s is refused', (_name, keys) => {
    expect(refusalOf(() => snapshot(...keys))).toEqual({
      code: 'ERR_KEYRING_INVALID',
      message: 'A keyring has one primary key, and each version and id once.',
    });
  });

  it('never changes', () => {
    const keys = [key('v1', 'primary', 1)];
    const ring = snapshot(...keys);
    keys.push(key('v2', 'active', 2));
    expect(ring.keys.length).toBe(1);
    for (const part of [ring.keys, ring.keys[0], ring.readable]) expect(Object.isFrozen(part)).toBe(true);
  });

  it('finds field keys by their version and by their bytes', () => {
    const index = key('v3', 'primary', 3, 'blind-index');
    const ring = snapshot(key('v1', 'primary', 1), key('v2', 'destroyed', 2), index);
    expect(ring.key('v2').state).toBe('destroyed');
    expect(ring.findSecret(Secret.from((ring.key('v1').secret as Secret).reveal()))?.version).toBe('v1');
    expect(ring.findSecret(index.secret as Secret)).toBeNull();
    expect(refusalOf(() => ring.key('v3'))).toEqual({
      code: 'ERR_KEY_NOT_FOUND',
      message: 'The keyring has no key v3.',
    });
  });

  it('finds the field key that reads under an id, and knows the ids of those that do not read any more', () => {
    const ring = snapshot(
      key('v1', 'primary', 1),
      key('v2', 'active', 2),
      key('v3', 'pending', 3),
      key('v4', 'disabled', 4),
      key('v5', 'destroyed', 5),
      key('v1', 'primary', 6, 'blind-index'),
    );
    const ids = [1, 2, 3, 4, 5, 6, 0, 7];
    expect(ids.map((id) => ring.findReadable(id)?.version ?? null)).toEqual([
      ...['v1', 'v2', 'v3'],
      ...[null, null, null, null, null],
    ]);
    expect(ids.map((id) => ring.knowsId(id))).toEqual([true, true, true, true, true, false, false, false]);
    expect(ring.findReadable(1)).toBe(ring.primary);
  });

  it('has the keys of a purpose that are in use, the primary first, then the newest', () => {
    const ring = snapshot(
      key('v1', 'primary', 1),
      key('v1', 'active', 2, 'blind-index'),
      key('v10', 'pending', 3, 'blind-index'),
      key('v2', 'primary', 4, 'blind-index'),
      key('v9', 'active', 5, 'blind-index'),
      key('v11', 'disabled', 6, 'blind-index'),
      key('v12', 'destroyed', 7, 'blind-index'),
      key('v1', 'primary', 8, 'audit-hmac'),
    );
    expect(ring.purposeKeys('blind-index').map(({ version }) => version)).toEqual(['v2', 'v10', 'v9', 'v1']);
    expect(ring.purposeKey('blind-index')?.id).toBe(4);
    expect(ring.purposeKeys('audit-hmac').map(({ id }) => id)).toEqual([8]);
    expect(ring.keys.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('has none of a purpose without a primary', () => {
    const ring = snapshot(key('v1', 'primary', 1), key('v1', 'pending', 2, 'blind-index'));
    expect(ring.purposeKeys('blind-index')).toEqual([]);
    expect(ring.purposeKey('blind-index')).toBeNull();
    expect(ring.purposeKeys('audit-hmac')).toEqual([]);
  });

  it('prints without its secrets', () => {
    const ring = freshRing(3);
    const printed = inspect(ring, { depth: null, showHidden: true }) + JSON.stringify(ring);
    expect(printed).toContain('[Secret]');
    for (const { secret } of ring.keys) {
      const bytes = (secret as Secret).reveal();
      expect(printed).not.toContain(bytes.toString('hex').slice(0, 16));
      expect(printed).not.toContain(bytes.subarray(0, 6).join(', '));
    }
  });
});

describe('the number of a version', () => {
  it('is what stands behind the v, and 0 for anything else', () => {
    expect(['v1', 'v12', 'v0', 'v01', 'V1', 'v', 'v1a', 'v-1', ''].map(versionNumber)).toEqual([
      1, 12, 0, 0, 0, 0, 0, 0, 0,
    ]);
  });
});
