import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/open-store.js';
import { addRows } from '../audit/with-logs.js';
import { withProject } from '../with-project.js';

describe('the commands of the audit log’s tree', () => {
  it('seal, verify, and name what was changed', () =>
    withProject({ config: null }, async (project) => {
      const store = await openStore({ dialect: 'sqlite', file: project.file });
      await addRows(store, 5);
      await store.close();
      const made = await project.fieldseal('audit', 'keygen');
      expect(made.stdout).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
      expect(made.stderr).toMatch(/^public key: fieldseal\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}\n$/);
      await project.write('audit.key', made.stdout);
      project.keepSecret(made.stdout.trim());
      const env = { AUDIT_SIGNING_KEY_FILE: 'audit.key' };
      const publicKey = made.stderr.slice('public key: '.length).trim();

      const bare = await project.fieldseal('audit', 'seal');
      expect(bare.stdout).toBe('5 rows were sealed. No checkpoint was signed: AUDIT_SIGNING_KEY_FILE is not set.\n');
      const none = await project.fieldseal('audit', 'checkpoint');
      expect(none).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('[ERR_NOT_FOUND]') });
      const signed = await project.fieldseal('audit', 'seal', '--json', { env });
      expect(signed.last).toEqual({ type: 'result', sealed: 0, signed: true });
      const { stdout: checkpoint } = await project.fieldseal('audit', 'checkpoint');
      expect(checkpoint).toMatch(/^fieldseal\n5\n/);
      await project.write('kept.txt', checkpoint);

      const clean = await project.fieldseal('audit', 'verify', '--checkpoint', 'kept.txt', { env });
      expect(clean).toMatchObject({
        exitCode: 0,
        stdout:
          '5 rows are sealed, 0 of them pruned; 0 are not sealed yet.\n' +
          '2 checkpoints hold, and their signatures vouch for the first 5 rows.\n' +
          'The audit log is as it was sealed.\n',
      });
      project.db((db) => {
        const triggers = db.prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'").pluck().all();
        for (const name of triggers) db.exec(`DROP TRIGGER ${name}`);
        db.exec("UPDATE audit_logs SET user_id = 'x' WHERE id = 3");
      });
      const files = ['--checkpoint', 'kept.txt', '--public-key', publicKey];
      const changed = await project.fieldseal('audit', 'verify', ...files, '--json');
      expect(changed).toMatchObject({
        exitCode: 1,
        last: {
          type: 'result',
          isSigned: true,
          vouchedSize: 5,
          findingCount: 1,
          findings: [{ kind: 'edited', auditId: 3, leafIndex: 2, text: 'Row 3 is not as it was sealed.' }],
        },
      });
      const [pruneless, missing, wrong] = await Promise.all([
        project.fieldseal('audit', 'prune', '--older-than', '1h', { env }),
        project.fieldseal('audit', 'verify', '--checkpoint', 'nowhere.txt'),
        project.fieldseal('audit', 'verify', '--public-key', `${publicKey.slice(0, -1)}A`),
      ]);
      expect([pruneless.exitCode, missing.exitCode, wrong.exitCode]).toEqual([2, 2, 2]);
      expect(missing.stderr).toContain('nowhere.txt cannot be read (ENOENT). [ERR_USAGE]');
      expect(wrong.stderr).toContain('[ERR_KEY_MALFORMED]');
    }));

  it('and the service do not start with a signing key that is none, and do not repeat it', () =>
    withProject({ config: null }, async (project) => {
      const key = project.keepSecret('bm90IGEga2V5LCBidXQgc2VjcmV0IQ==');
      const AUTH_JWT_SECRET = 'a secret of at least 32 bytes, for tests';
      const [sealing, serving, both] = await Promise.all([
        project.fieldseal('audit', 'seal', { env: { AUDIT_SIGNING_KEY: key } }),
        project.fieldseal('serve', { env: { AUDIT_SIGNING_KEY: key, AUTH_JWT_SECRET, PORT: '0' } }),
        project.fieldseal('serve', { env: { AUDIT_SIGNING_KEY_FILE: 'absent', AUTH_JWT_SECRET, PORT: '0' } }),
      ]);
      expect(sealing).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('[ERR_KEY_MALFORMED]') });
      expect(serving).toMatchObject({ exitCode: 2, stderr: sealing.stderr });
      expect(both).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('cannot be read (ENOENT). [ERR_KEY_FILE]'),
      });
    }));
});
