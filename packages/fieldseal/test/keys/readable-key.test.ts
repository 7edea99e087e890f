/** A key version of a ring at work in every scheme. */
import { hkdfSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { encryptWith } from '../../src/core/fernet.js';
import { Secret } from '../../src/core/secret.js';
import { Xaes256Gcm } from '../../src/core/xaes-256-gcm.js';
import { ReadableKey } from '../../src/keys/readable-key.js';
import { SubjectKey } from '../../src/keys/subject-key.js';
import { twinDecrypt } from '../core/fernet-twin.js';
import { refusalOf } from '../refusal.js';
import { twinSubjectKey } from './subject-twin.js';

const bytes = Buffer.from('00112233445566778899aabbccddeeff0102030405060708090a0b0c0d0e0f10', 'hex');
const NONCE = Buffer.alloc(24, 1);
const AD = Buffer.from('here');

describe('a readable key', () => {
  const key = new ReadableKey('v3', 7, Secret.from(bytes));

  it('has its version and its id', () => {
    expect([key.version, key.id]).toEqual(['v3', 7]);
  });

  it('is in the scheme fernet the bytes that it is', () => {
    expect(twinDecrypt(bytes, encryptWith(key.fernet, 'hello'))?.toString()).toBe('hello');
  });

  it('is in the scheme xaes derived from its bytes, once', () => {
    const derived = new Xaes256Gcm(Buffer.from(hkdfSync('sha256', bytes, 'fieldseal/xaes/v1', '', 32)));
    const sealed = key.xaes.seal(NONCE, Buffer.from('hello'), AD);
    expect(derived.open(NONCE, sealed, AD).toString()).toBe('hello');
    expect(key.xaes).toBe(key.xaes);
    expect(refusalOf(() => new Xaes256Gcm(bytes).open(NONCE, sealed, AD)).code).toBe('ERR_DECRYPT_FAILED');
  });

  it('is under a subject derived from both, once for each', () => {
    const secret = Secret.random(32);
    const subject = new SubjectKey({ tenant: 'acme', subject: '42' }, secret);
    const twin = new Xaes256Gcm(twinSubjectKey(bytes, secret.reveal(), 'acme', '42'));
    const sealed = key.underSubject(subject).seal(NONCE, Buffer.from('hello'), AD);
    expect(twin.open(NONCE, sealed, AD).toString()).toBe('hello');
    expect(key.underSubject(subject)).toBe(key.underSubject(subject));
    const other = new SubjectKey({ tenant: 'acme', subject: '43' }, secret);
    expect(refusalOf(() => key.underSubject(other).open(NONCE, sealed, AD)).code).toBe('ERR_DECRYPT_FAILED');
  });

  it('prints without its bytes', () => {
    const used = new ReadableKey('v3', 7, Secret.from(bytes));
    used.xaes.seal(NONCE, AD, AD);
    const printed = inspect(used, { depth: null, showHidden: true }) + JSON.stringify(used);
    for (const shown of ['001122', '00 11 22', '0, 17, 34', 'ABEiM0']) expect(printed).not.toContain(shown);
  });
});
