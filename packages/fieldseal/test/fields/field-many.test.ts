/** What a field does to the values of a whole column in one go, for sweeps. */
import { describe, expect, it } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import type { Secret } from '../../src/core/secret.js';
import { bytes, string } from '../../src/fields/codecs.js';
import { encrypted } from '../../src/fields/encrypted.js';
import { Field } from '../../src/fields/field.js';
import { addKey, promoteKey } from '../../src/keys/keyring-changes.js';
import { freshKeyring, MADE_AT_MS } from '../fresh-keyring.js';

const added = addKey(freshKeyring().snapshot(), null, 'pending', MADE_AT_MS);
const ring = promoteKey(added.ring, added.version);
const [older, primary] = ['v1', 'v2'].map((version) => new Fernet(ring.key(version).secret as Secret)) as [
  Fernet,
  Fernet,
];
const text = new Field('t', 'c', encrypted(string()));
const blob = new Field('t', 'c', encrypted(bytes(), { storage: 'bytes' }));
const others = [null, '', 'plain', new Fernet(Fernet.generateKey()).encrypt('x'), older.encrypt('x').slice(4)];

describe('the tokens of a column', () => {
  it('are renewed where they are under an older key; their time stays', () => {
    const old = older.encrypt('one', { timeSeconds: 7 });
    const [renewed, ...rest] = text.renewMany(ring, [old, ...others]);
    expect([primary.decrypt(renewed as string), primary.extractTimestamp(renewed as string)]).toEqual(['one', 7n]);
    expect(rest).toEqual(others.map(() => null));
  });

  it('stay the very values that they are under the primary, and bytes stay bytes', () => {
    const [current, old] = [primary, older].map((fernet) => Buffer.from(fernet.encrypt('one'), 'base64url'));
    const [same, renewed] = blob.renewMany(ring, [current as Buffer, old as Buffer]);
    expect(same).toBe(current);
    expect(Buffer.isBuffer(renewed)).toBe(true);
    expect(blob.examine(ring, renewed as Buffer)).toMatchObject({ keyVersion: 'v2', bytes: Buffer.from('one') });
    const token = primary.encrypt('two');
    expect(text.renewMany(ring, [token])).toEqual([token]);
  });

  it('are known by their keys where they are texts', () => {
    const stored = [older.encrypt('one'), primary.encrypt('two'), older.encrypt(Buffer.of(0xff)), ...others];
    expect(text.findVersions(ring, stored)).toEqual(['v1', 'v2', null, ...others.map(() => null)]);
  });

  it('are left to those who decode them where the column has another type, or reads no such token', () => {
    expect(blob.findVersions(ring, [primary.encrypt('one')])).toBeNull();
    const bound = new Field('t', 'c', encrypted(string(), { scheme: 'xaes' }));
    expect(bound.findVersions(ring, [primary.encrypt('one')])).toBeNull();
  });
});
