import { writeFile } from 'node:fs/promises';
import { Ed25519Key, verifyEd25519 } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { readAuditLogName, readAuditSigner } from '../../src/config/audit-signer.js';
import { withSqliteFile } from '../store/sqlite-file.js';

const seed = Ed25519Key.generateSeed().reveal().toString('base64');

describe('the key that signs the audit log', () => {
  it('comes from the variable or from the file that the other names, and is nobody’s without', () =>
    withSqliteFile(async (file) => {
      await writeFile(file, `${seed}\n`);
      expect(readAuditSigner({})).toBeNull();
      const message = Buffer.from('a message');
      for (const env of [
        { AUDIT_SIGNING_KEY: seed },
        { AUDIT_SIGNING_KEY_FILE: file, AUDIT_LOG_NAME: 'a.example/b' },
      ]) {
        const signer = readAuditSigner(env);
        expect(signer?.name).toBe(readAuditLogName(env));
        expect(signer && verifyEd25519(signer.publicKey, message, signer.sign(message))).toBe(true);
      }
    }));

  it.each([
    ['two of them', { AUDIT_SIGNING_KEY: seed, AUDIT_SIGNING_KEY_FILE: 'f' }, 'ERR_CONFIG_INVALID'],
    ['a name with a space', { AUDIT_SIGNING_KEY: seed, AUDIT_LOG_NAME: 'a b' }, 'ERR_CONFIG_INVALID'],
    ['a name with a plus sign', { AUDIT_LOG_NAME: 'a+b' }, 'ERR_CONFIG_INVALID'],
    ['text that is no key', { AUDIT_SIGNING_KEY: `${seed}A` }, 'ERR_KEY_MALFORMED'],
    ['a folder', { AUDIT_SIGNING_KEY_FILE: '/' }, 'ERR_KEY_FILE'],
  ])('is refused with %s, by its variable and without the key', (_what, env, code) => {
    expect(() => readAuditSigner(env)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(/AUDIT_(SIGNING_KEY|LOG_NAME)/) }),
    );
    expect(() => readAuditSigner(env)).not.toThrow(seed);
  });
});
