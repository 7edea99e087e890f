import { writeFile } from 'node:fs/promises';
import { Ed25519Key, verifyEd25519 } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { signNote } from '../../src/audit/signed-note.js';
import { type AuditSigner, readAuditLogName, readAuditSigner } from '../../src/config/audit-signer.js';
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
        expect(signer && verifyEd25519(signer.publicKey, message, await signer.sign(message))).toBe(true);
      }
    }));

  it.each([
    ['two of them', { AUDIT_SIGNING_KEY: seed, AUDIT_SIGNING_KEY_FILE: 'f' }, 'ERR_CONFIG_INVALID'],
    ['a name with a space', { AUDIT_SIGNING_KEY: seed, AUDIT_LOG_NAME: 'a b' }, 'ERR_CONFIG_INVALID'],
    ['a name with a plus sign', { AUDIT_LOG_NAME: 'a+b' }, 'ERR_CONFIG_INVALID'],
    ['a key and a command', { AUDIT_SIGNING_KEY: seed, AUDIT_SIGNING_COMMAND: '/bin/cat' }, 'ERR_CONFIG_INVALID'],
    ['a command without its public key', { AUDIT_SIGNING_COMMAND: '/bin/cat' }, 'ERR_KEY_MALFORMED'],
    ['text that is no key', { AUDIT_SIGNING_KEY: `${seed}A` }, 'ERR_KEY_MALFORMED'],
    ['a folder', { AUDIT_SIGNING_KEY_FILE: '/' }, 'ERR_KEY_FILE'],
  ])('is refused with %s, by its variable and without the key', (_what, env, code) => {
    expect(() => readAuditSigner(env)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringMatching(/AUDIT_(SIGNING_KEY|SIGNING_PUBLIC_KEY|LOG_NAME)/),
      }),
    );
    expect(() => readAuditSigner(env)).not.toThrow(seed);
  });
});

describe('a command that signs', () => {
  const key = Ed25519Key.parse(seed);
  const message = Buffer.from('fieldseal\n7\n');
  const publicKey = key.publicKey.toString('base64');

  /** With a program of Node's that does `body`, as an operator would write one around the client of a KMS. */
  async function withCommand(body: string, work: (signer: AuditSigner) => Promise<void>): Promise<void> {
    await withSqliteFile(async (file) => {
      const command = `${file}-sign`;
      const seedFile = `${file}-seed`;
      await writeFile(seedFile, seed);
      const lines = [
        `#!${process.execPath}`,
        "const { createPrivateKey, sign } = require('node:crypto'); const { readFileSync } = require('node:fs');",
        `const seed = Buffer.from(readFileSync(${JSON.stringify(seedFile)}, 'utf8'), 'base64');`,
        "const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);",
        "const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });",
        body,
      ];
      await writeFile(command, lines.join('\n'), { mode: 0o700 });
      const signer = readAuditSigner({ AUDIT_SIGNING_COMMAND: command, AUDIT_SIGNING_PUBLIC_KEY: publicKey });
      if (signer) await work(signer);
    });
  }

  const SIGN = "console.log(sign(null, readFileSync(0), key).toString('base64'));";

  it('gets the message, and its signature counts when it is the public key’s', () =>
    withCommand(SIGN, async (signer) => {
      expect(Buffer.from(signer.publicKey).toString('base64')).toBe(publicKey);
      expect(verifyEd25519(key.publicKey, message, await signer.sign(message))).toBe(true);
      // Its note is one as the key itself would have signed it.
      const note = await signNote('a text\n', signer);
      expect(note).toBe(
        await signNote('a text\n', { name: 'fieldseal', publicKey: key.publicKey, sign: (m) => key.sign(m) }),
      );
    }));

  it.each([
    ['that fails', "console.error('a secret'); process.exit(3);", 'ended with 3'],
    ['that is killed', "process.kill(process.pid, 'SIGKILL');", 'ended with SIGKILL'],
    [
      'that signs something else',
      "console.log(sign(null, Buffer.from('x'), key).toString('base64'));",
      'wrote no signature, in base64, of the key that AUDIT_SIGNING_PUBLIC_KEY is',
    ],
    ['that writes nothing', '', 'wrote no signature, in base64, of the key that AUDIT_SIGNING_PUBLIC_KEY is'],
    ['that writes too much', "console.log('a'.repeat(1e6));", 'wrote more than a signature'],
  ])('%s has signed nothing, and what it wrote is not repeated', (_what, body, reason) =>
    withCommand(body, async (signer) => {
      await expect(Promise.resolve(signer.sign(message))).rejects.toMatchObject({
        code: 'ERR_AUDIT_UNSIGNED',
        message: `The command that AUDIT_SIGNING_COMMAND names ${reason}.`,
      });
    }),
  );

  it('that is not there has signed nothing', async () => {
    const signer = readAuditSigner({ AUDIT_SIGNING_COMMAND: '/no/such/file', AUDIT_SIGNING_PUBLIC_KEY: publicKey });
    await expect(Promise.resolve(signer?.sign(message))).rejects.toMatchObject({
      code: 'ERR_AUDIT_UNSIGNED',
      message: 'The command that AUDIT_SIGNING_COMMAND names cannot be run (ENOENT).',
    });
  });
});
