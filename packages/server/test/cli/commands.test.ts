import { Fernet } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { type Project, withProject } from '../with-project.js';

const PLAINTEXTS = ['+1-555-0101', '+1-555-0102'];

const phones = (project: Project) => project.db((db) => db.prepare('SELECT phone FROM users').pluck().all());

describe('the first days', () => {
  it('encrypt, rotate, decrypt: each dry run leaves the file as it is, and says what the real one then does', async () => {
    await withProject(async (project) => {
      project.keepSecret(...PLAINTEXTS);
      for (const command of ['encrypt', 'rotate', 'decrypt']) {
        const before = await project.databaseFiles();
        const dry = await project.fieldseal(command, '--dry-run', '--json');
        expect([dry.exitCode, dry.last.dryRun, dry.last.run, dry.last.status]).toEqual([0, true, null, 'completed']);
        expect(await project.databaseFiles()).toEqual(before);

        const real = await project.fieldseal(command, '--json');
        expect([real.exitCode, real.stderr]).toEqual([0, '']);
        for (const part of ['counts', 'columns', 'failures', 'oldKeyVersion', 'newKeyVersion']) {
          expect([command, part, real.last[part]]).toEqual([command, part, dry.last[part]]);
        }
        // The second time there is nothing to do; a rotation has its next key.
        expect(real.last.counts).toEqual({ total: 2, rotated: 2, current: 0, skipped: 0, failed: 0 });
      }
      expect(phones(project)).toEqual([...PLAINTEXTS, null]);
    });
  });

  it('say how it went, to people', async () => {
    await withProject(async (project) => {
      const dry = await project.fieldseal('encrypt', '--dry-run');
      expect(dry.stdout).toMatch(/^Dry run, nothing was written: encrypt: completed/);
      const { exitCode, stdout, stderr } = await project.fieldseal('encrypt');
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/^Run 1, encrypt: completed \(\d+\.\d s, 2 passes\)\n\ncolumn +records/);
      expect(stdout).toContain('2 records: 2 encrypted, 0 already as wanted, 0 skipped, 0 unreadable.\n');
      expect(stderr).toMatch(/run 1 \(encrypt\)\n.*sweep .* 100 % {2}2 \/ 2 records/s);
      expect((await project.fieldseal('encrypt')).stdout).toContain('0 encrypted, 2 already as wanted');
      const list = await project.fieldseal('keyring', 'list');
      expect(list.stdout).toMatch(/^v1 +field +primary +\d+ +\d{4}-/m);
      expect((await project.fieldseal('status')).stdout).toMatch(/^2 +encrypt +completed +100 %/m);
    });
  });
});

describe('with --json', () => {
  it('every command prints JSON lines alone, the last of them its result or its error', async () => {
    await withProject(async (project) => {
      const ends: [string[], number, string][] = [
        [['scan'], 0, 'result'],
        [['status'], 0, 'result'],
        [['keyring', 'list'], 2, 'error'],
        [['encrypt'], 0, 'result'],
        [['verify'], 0, 'result'],
        [['rotate'], 0, 'result'],
        [['keyring', 'list'], 0, 'result'],
        [['status', '1'], 0, 'result'],
        [['status', '9'], 2, 'error'],
        [['pause', '1'], 2, 'error'],
        [['resume', '1'], 2, 'error'],
        [['rotate', 'x', 'y'], 2, 'error'],
        [['decrypt'], 0, 'result'],
      ];
      for (const [args, code, type] of ends) {
        const { exitCode, last, stderr } = await project.fieldseal('--json', ...args);
        expect([args, exitCode, last.type, stderr]).toEqual([args, code, type, '']);
      }
    });
  });

  it('a sweep tells which run it is, its progress and its report', async () => {
    await withProject(async (project) => {
      const { lines } = await project.fieldseal('encrypt', '--json');
      const told = lines.filter(({ type }) => type !== 'warning');
      expect(told).toEqual([
        { type: 'run', run: 1, kind: 'encrypt', resumed: false },
        {
          ...{ type: 'progress', pass: 1, verifying: false, table: 'users', done: 2, total: 2 },
          ...{ perSecond: expect.any(Number), secondsLeft: 0 },
        },
        expect.objectContaining({ type: 'progress', pass: 2, verifying: true, done: 2, total: 2 }),
        expect.objectContaining({ type: 'result', run: 1, kind: 'encrypt', status: 'completed', passes: 2 }),
      ]);
    });
  });
});

describe('keys', () => {
  it('are read from a .env file, and a ROOT_KEY wraps the keyring in the place of ENCRYPTION_KEY', async () => {
    await withProject(async (project) => {
      const root = project.keepSecret(Fernet.generateKey());
      await project.write('.env', `ENCRYPTION_KEY=${project.key}\nROOT_KEY=${root}\n`);
      const fromFile = { env: { ENCRYPTION_KEY: undefined } };
      expect((await project.fieldseal('encrypt', fromFile)).exitCode).toBe(0);
      const withoutRoot = await project.fieldseal('verify', { env: { ROOT_KEY: '' } });
      expect([withoutRoot.exitCode, withoutRoot.stderr]).toEqual([2, expect.stringContaining('[ERR_KEYRING_ROOT]')]);
      expect((await project.fieldseal('rotate', { env: { ENCRYPTION_KEY: '' } })).exitCode).toBe(0);
    });
  });

  it('that only read are adopted from ENCRYPTION_KEY_PREVIOUS', async () => {
    await withProject(async (project) => {
      const older = project.keepSecret(Fernet.generateKey());
      project.db((db) => db.prepare('UPDATE users SET phone = ? WHERE id = 1').run(new Fernet(older).encrypt('1')));
      const first = await project.fieldseal('encrypt', '--json');
      expect([first.exitCode, first.last.counts.failed]).toEqual([1, 1]);
      const previous = { env: { ENCRYPTION_KEY_PREVIOUS: ` ${older} , ${project.key},` } };
      const second = await project.fieldseal('encrypt', '--json', previous);
      expect([second.exitCode, second.last.columns[0].held]).toEqual([0, { v1: 1, v2: 1 }]);
      // It stays in the ring.
      expect((await project.fieldseal('verify', '--json')).last.columns[0].held).toEqual({ v1: 1, v2: 1 });
      const rotated = await project.fieldseal('rotate', '--json');
      expect([rotated.last.newKeyVersion, rotated.last.columns[0].held]).toEqual(['v3', { v3: 2 }]);
    });
  });
});
