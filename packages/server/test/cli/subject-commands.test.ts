/** `erase` and `subject-keys` as they are typed. */
import { readFileSync, statSync } from 'node:fs';
import { Fernet } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { type Project, withProject } from '../with-project.ts';

const ROOT = { SUBJECT_ROOT_FILE: 'subject-root' };

/** A project without a declaration, with a subject root. */
const withRoot = (work: (project: Project) => Promise<void>) =>
  withProject({ config: null }, async (project) => {
    await project.write('subject-root', `${project.keepSecret(Fernet.generateKey())}\n`);
    await work(project);
  });

const rows = (project: Project) =>
  project.db((db) => db.prepare('SELECT subject, wrapped IS NULL AS erased FROM subject_keys').all());

describe('erase', () => {
  it('destroys one key, says what to do next, and is done the second time', () =>
    withRoot(async (project) => {
      const { last: made } = await project.fieldseal('subject-keys', 'create', '1', '2', '3', '--json', { env: ROOT });
      expect(made).toEqual({ type: 'result', subjects: 3, created: 3 });

      const dry = await project.fieldseal('erase', '--subject', '2', '--dry-run', { env: ROOT });
      expect(dry).toMatchObject({
        exitCode: 0,
        stdout: 'Dry run, nothing was written. Subject 2 would be erased, and 2 other key(s) wrapped anew.\n',
      });
      const erased = await project.fieldseal('erase', '--subject', '2', { env: ROOT });
      expect(erased.exitCode).toBe(0);
      expect(erased.stdout).toMatch(
        /^Subject 2 is erased\. 2 other key\(s\) are under the new subject root [0-9a-f]{16}; the old one is destroyed\.\nRunning applications stop/,
      );
      expect(erased.stderr).toContain('warning: there is no fieldseal.config: no index is cleared');
      expect(erased.stderr).toContain('warning: Make a new backup and a new `fieldseal subject-keys export` NOW.');
      expect(rows(project)).toEqual([
        { subject: '1', erased: 0 },
        { subject: '2', erased: 1 },
        { subject: '3', erased: 0 },
      ]);
      project.keepSecret(readFileSync(`${project.folder}/subject-root`, 'utf8').trim());

      const { lines, last } = await project.fieldseal('erase', '--subject', '2', '--json', { env: ROOT });
      expect(lines.map(({ type }) => type)).toEqual(['warning', 'result']);
      expect(last).toMatchObject({ subject: '2', tenant: null, wasErased: true, rewrapped: 0, abandoned: 0 });
      const audit = await project.fieldseal('audit', 'export', '--action', 'subject_erased');
      expect(audit.stdout.trim().split('\n')).toHaveLength(1);
    }));

  it('refuses what it cannot do, with the exit code of a mistake', () =>
    withRoot(async (project) => {
      for (const [args, code] of [
        [['erase', '--json'], 'ERR_USAGE'],
        [['erase', '--subject', '', '--json'], 'ERR_CONTEXT_TYPE'],
        [['erase', '--subject', '9', '--json'], 'ERR_SUBJECT_NOT_FOUND'],
      ] as const) {
        const { exitCode, last } = await project.fieldseal(...args, { env: ROOT });
        expect([last.code, exitCode]).toEqual([code, code === 'ERR_CONTEXT_TYPE' ? 1 : 2]);
      }
      const { exitCode, last } = await project.fieldseal('erase', '--subject', '9', '--json');
      expect([last.code, exitCode]).toEqual(['ERR_SUBJECT_ROOT', 2]);
      // Nothing of it left a trace in the application's database.
      expect(
        project.db((db) => db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all()),
      ).toEqual(['users']);
    }));

  it('has help with an example', () =>
    withRoot(async (project) => {
      const { stdout } = await project.fieldseal('erase', '--help');
      expect(stdout).toContain('fieldseal erase --subject 42 --dry-run');
      expect(stdout).toContain('--abandon-unreadable');
    }));
});

describe('subject-keys', () => {
  it('are exported and imported', () =>
    withRoot(async (project) => {
      await project.fieldseal('subject-keys', 'create', '1', '2', { env: ROOT });
      const out = await project.fieldseal('subject-keys', 'export', 'keys.ndjson', '--json', { env: ROOT });
      expect(out).toMatchObject({ exitCode: 0, last: { file: 'keys.ndjson', subjects: 2, erased: 0 } });
      expect(statSync(`${project.folder}/keys.ndjson`).mode & 0o777).toBe(0o600);
      project.db((db) => db.exec("DELETE FROM subject_keys WHERE subject = '2'"));
      const back = await project.fieldseal('subject-keys', 'import', 'keys.ndjson', { env: ROOT });
      expect(back).toMatchObject({
        exitCode: 0,
        stdout: '1 key(s) added, 0 replaced, 1 kept as they open; 0 subject(s) erased, 0 stay erased.\n',
      });
    }));

  it('that still do not open end an import with the exit code of failures', () =>
    withRoot(async (project) => {
      await project.fieldseal('subject-keys', 'create', '1', '2', { env: ROOT });
      await project.fieldseal('subject-keys', 'export', 'keys.ndjson', { env: ROOT });
      await project.fieldseal('subject-keys', 'create', '3', { env: ROOT });
      project.db((db) => db.exec("UPDATE subject_keys SET wrapped = 'AQ' WHERE subject = '3'"));
      const { exitCode, last } = await project.fieldseal('subject-keys', 'import', 'keys.ndjson', '--json', {
        env: ROOT,
      });
      expect([exitCode, last.unreadable]).toEqual([1, 1]);
      const { stdout } = await project.fieldseal('subject-keys', 'import', 'keys.ndjson', { env: ROOT });
      expect(stdout).toContain('1 key(s) in the database still do not open.');
    }));
});
