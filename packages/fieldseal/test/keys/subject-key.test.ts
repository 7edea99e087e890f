import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.js';
import { SubjectKey } from '../../src/keys/subject-key.js';
import { DECRYPT_FAILED, refusalOf } from '../refusal.js';

const NONCE = Buffer.alloc(24, 1);
const AD = Buffer.from('here');

describe('the key of a subject', () => {
  const name = { tenant: 'a', subject: 'bc' };
  const secret = Secret.random(32);
  const version = Secret.random(32).reveal();

  it('is derived once for each key version', () => {
    const key = new SubjectKey(name, secret);
    expect(key.keyFor(version, 1)).toBe(key.keyFor(version, 1));
    expect(key.keyFor(version, 2)).not.toBe(key.keyFor(version, 1));
  });

  it('leaves the key version and the secret as they are', () => {
    const before = [Buffer.from(version), Buffer.from(secret.reveal())];
    new SubjectKey(name, secret).keyFor(version, 1);
    expect([version, secret.reveal()]).toEqual(before);
  });

  it('opens nothing of another secret, key version, subject or tenant', () => {
    const sealed = new SubjectKey(name, secret).keyFor(version, 1).seal(NONCE, Buffer.from('Ada'), AD);
    expect(new SubjectKey(name, secret).keyFor(version, 1).open(NONCE, sealed, AD).toString()).toBe('Ada');
    for (const other of [
      new SubjectKey(name, Secret.random(32)).keyFor(version, 1),
      new SubjectKey(name, secret).keyFor(Secret.random(32).reveal(), 1),
      new SubjectKey({ tenant: 'a', subject: 'bd' }, secret).keyFor(version, 1),
      new SubjectKey({ tenant: 'ab', subject: 'c' }, secret).keyFor(version, 1),
    ]) {
      expect(refusalOf(() => other.open(NONCE, sealed, AD))).toEqual(DECRYPT_FAILED);
    }
  });

  it('has a secret of 32 bytes', () => {
    expect(refusalOf(() => new SubjectKey(name, Secret.random(31)))).toEqual({
      code: 'ERR_KEY_MALFORMED',
      message: 'A subject’s secret has 32 bytes.',
    });
  });
});
