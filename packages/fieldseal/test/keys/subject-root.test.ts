/** The format of wrapped secrets, held by a fixed vector and by a twin. */
import { describe, expect, it } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import { Secret } from '../../src/core/secret.js';
import { SubjectKey } from '../../src/keys/subject-key.js';
import { SubjectRoot } from '../../src/keys/subject-root.js';
import { readVectors } from '../read-vectors.js';
import { DECRYPT_FAILED, refusalOf } from '../refusal.js';
import { twinSubjectFingerprint, twinSubjectKey, twinSubjectUnwrap } from './subject-twin.js';

interface SubjectVector {
  readonly root: string;
  readonly fingerprint: string;
  readonly key_version_hex: string;
  readonly nonce_hex: string;
  readonly subjects: readonly {
    readonly tenant: string;
    readonly subject: string;
    readonly secret_hex: string;
    readonly wrapped: string;
    readonly key_hex: string;
    readonly sealed_hex: string;
  }[];
}

const vector = readVectors<SubjectVector>('subject-keys.json');
const root = SubjectRoot.fromText(vector.root);
const rootBytes = Buffer.from(vector.root, 'base64url');
const version = Buffer.from(vector.key_version_hex, 'hex');

describe('the vector', () => {
  it('has the fingerprint that the drawing says', () => {
    expect([root.fingerprint, twinSubjectFingerprint(rootBytes)]).toEqual([vector.fingerprint, vector.fingerprint]);
  });

  it.each(vector.subjects)('opens to the secret of $tenant $subject, and to its key', (entry) => {
    const { tenant, subject, wrapped } = entry;
    const secret = root.unwrap(entry, wrapped);
    expect(secret.reveal().toString('hex')).toBe(entry.secret_hex);
    expect(twinSubjectUnwrap(rootBytes, tenant, subject, wrapped).toString('hex')).toBe(entry.secret_hex);
    expect(twinSubjectKey(version, secret.reveal(), tenant, subject).toString('hex')).toBe(entry.key_hex);
    const key = new SubjectKey(entry, secret).keyFor(version, 7);
    const sealed = key.seal(Buffer.from(vector.nonce_hex, 'hex'), Buffer.from('hello'), Buffer.from('ad'));
    expect(sealed.toString('hex')).toBe(entry.sealed_hex);
  });
});

describe('a subject root', () => {
  const name = { tenant: 'a', subject: 'bc' };

  it('is read as keygen prints it, and written so', () => {
    const text = Fernet.generateKey();
    expect(SubjectRoot.fromText(text).revealText()).toBe(text);
    expect(SubjectRoot.random().fingerprint).not.toBe(SubjectRoot.random().fingerprint);
    expect(refusalOf(() => SubjectRoot.fromText('not a key'))).toEqual({
      code: 'ERR_KEY_MALFORMED',
      message:
        'A Fernet key is 32 bytes in base64url, 44 characters with the padding; make one with `fieldseal keygen`.',
    });
  });

  it('wraps a secret differently each time, as its twin reads it', () => {
    const secret = Secret.random(32);
    const wraps = Array.from({ length: 50 }, () => root.wrap(name, secret));
    expect(new Set(wraps).size).toBe(50);
    for (const wrap of wraps) {
      expect(wrap).toMatch(/^[\w-]{98}$/);
      expect(root.unwrap(name, wrap).equals(secret)).toBe(true);
      expect(twinSubjectUnwrap(rootBytes, 'a', 'bc', wrap).equals(secret.reveal())).toBe(true);
    }
  });

  it('opens a wrap of no other subject, tenant or root, and no changed one', () => {
    const wrap = root.wrap(name, Secret.random(32));
    for (const unwrap of [
      () => root.unwrap({ tenant: 'a', subject: 'bd' }, wrap),
      () => root.unwrap({ tenant: '', subject: 'bc' }, wrap),
      () => root.unwrap({ tenant: 'ab', subject: 'c' }, wrap),
      () => SubjectRoot.random().unwrap(name, wrap),
      () => root.unwrap(name, ''),
      () => root.unwrap(name, wrap.slice(0, -2)),
      () => root.unwrap(name, `${wrap}=`),
      () => root.unwrap(name, `${wrap.slice(0, 50)}\n${wrap.slice(50)}`),
      () => root.unwrap(name, `Ag${wrap.slice(2)}`),
    ]) {
      expect(refusalOf(unwrap)).toEqual(DECRYPT_FAILED);
    }
    const bytes = Buffer.from(wrap, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(refusalOf(() => root.unwrap(name, flipped.toString('base64url')))).toEqual(DECRYPT_FAILED);
    }
  });

  it('has 32 bytes', () => {
    for (const length of [0, 16, 31, 33]) {
      expect(refusalOf(() => new SubjectRoot(Secret.random(length)))).toEqual({
        code: 'ERR_KEY_MALFORMED',
        message: 'A subject root has 32 bytes.',
      });
    }
  });
});
