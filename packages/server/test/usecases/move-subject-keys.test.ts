/** Keys of subjects moved into a restored database: what was readable is readable again, and who was erased stays so. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { Fernet } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { createSubjectKeys } from '../../src/usecases/create-subject-keys.js';
import { exportSubjectKeys, importSubjectKeys } from '../../src/usecases/move-subject-keys.js';
import { rejectionOf } from '../refusal.js';
import { DATABASES, ON_SQLITE, type Subjects } from './with-subjects.js';

const IDS = Array.from({ length: 1_100 }, (_, i) => String(i));
const NOT_HELD = {
  code: 'ERR_SUBJECT_ROOT',
  message:
    'The subject keys of the database are under a root that SUBJECT_ROOT_FILE does not hold. If it was restored from a backup ' +
    'older than an erasure, that root is gone: --restored replaces every key that does not open. If not, give the right file.',
};

const exported = (subjects: Subjects, name = 'keys.ndjson') =>
  exportSubjectKeys(subjects.deps, { to: subjects.path(name) });
const imported = (subjects: Subjects, restored = false, name = 'keys.ndjson') =>
  importSubjectKeys(subjects.deps, { from: subjects.path(name), restored });

describe.each(DATABASES)('on %s', (_name, withSubjects) => {
  it('a database restored from before an erasure is readable again, but for the erased', () =>
    withSubjects(async (subjects) => {
      const before = await subjects.create(...IDS);
      const [backup, [oldRoot]] = [await subjects.rows(), subjects.roots()];
      await subjects.erase('7');
      const late = await subjects.create('late');
      expect(await exported(subjects)).toEqual({
        file: subjects.path('keys.ndjson'),
        subjects: IDS.length,
        erased: 1,
        root: subjects.roots()[0],
      });

      await subjects.restore(backup, String(oldRoot));
      const readings = await rejectionOf(() => subjects.secrets('1'));
      expect(readings.code).toBe('ERR_SUBJECT_ROOT');
      expect(await rejectionOf(() => imported(subjects))).toEqual(NOT_HELD);
      expect(await subjects.rows()).toEqual(backup);
      expect(await imported(subjects, true)).toEqual({
        file: subjects.path('keys.ndjson'),
        added: 1,
        replaced: IDS.length - 1,
        kept: 0,
        erased: 1,
        stayErased: 0,
        unreadable: 0,
        root: subjects.roots()[0],
      });
      expect(await subjects.secrets(...IDS, 'late')).toEqual({ ...before, ...late, 7: 'ERR_SUBJECT_ERASED' });

      // Again it finds nothing to do.
      expect(await imported(subjects)).toMatchObject({ added: 0, replaced: 0, kept: IDS.length, erased: 0 });
      const actions = (await subjects.audits()).map(({ action }) => action);
      expect(actions.filter((action) => action.startsWith('subject_keys_'))).toEqual([
        'subject_keys_imported',
        'subject_keys_imported',
        'subject_keys_exported',
      ]);
    }));

  it('who is erased in the database does not come back, and later keys stay', () =>
    withSubjects(async (subjects) => {
      const before = await subjects.create('1', '2', '3');
      await exported(subjects);
      const rows = await subjects.rows();
      await subjects.store((store) => store.subjects.erase({ tenant: '', subject: '2' }));
      const late = await subjects.create('4');
      expect(await imported(subjects)).toMatchObject({ added: 0, kept: 2, stayErased: 1, erased: 0 });
      expect(await subjects.secrets('1', '2', '3', '4')).toEqual({ ...before, ...late, 2: 'ERR_SUBJECT_ERASED' });
      // And what is missing is added, with the time at which it was made.
      await subjects.restore([], String(subjects.roots()[0]));
      expect(await imported(subjects)).toMatchObject({ added: 3 });
      const times = (all: typeof rows) => all.map(({ subject, createdAt }) => [subject, createdAt]);
      expect(times(await subjects.rows())).toEqual(times(rows));
    }));

  it('running applications learn of an import as of an erasure', () =>
    withSubjects(async (subjects) => {
      await subjects.create('1', '2');
      await exported(subjects);
      await subjects.keys(async (keys) => {
        await keys.load(['1']);
        const { generation } = keys;
        await imported(subjects);
        await keys.refresh();
        expect(keys.generation).toBe(generation + 1);
      });
    }));

  it('an export that anybody has changed, or that is not whole, changes nothing', () =>
    withSubjects(async (subjects) => {
      await subjects.create('1', '2', '3');
      await exported(subjects);
      const before = [await subjects.rows(), await subjects.audits()];
      const lines = readFileSync(subjects.path('keys.ndjson'), 'utf8').trimEnd().split('\n');
      const [header = '', first = '', second = '', third = '', mac = ''] = lines;
      const erased = JSON.stringify({ ...JSON.parse(second), wrapped: null, erasedAt: '2026-01-01T00:00:00.000Z' });
      const broken: Record<string, string[]> = {
        'a subject erased in it': [header, first, erased, third, mac],
        'a subject left out': [header, first, third, mac],
        'two lines exchanged': [header, second, first, third, mac],
        'another generation': [header.replace('"generation":1', '"generation":2'), first, second, third, mac],
        'no end': [header, first, second, third],
        nothing: [],
        'more behind the end': [...lines, first],
        'another format': [header.replace('/1"', '/2"'), first, second, third, mac],
        'no JSON': ['hello'],
        'no object': ['[1]'],
        'a row without a subject': [header, '{"tenant":""}', mac],
        'a row neither erased nor not': [header, first.replace('"erasedAt":null', '"erasedAt":"2026"'), mac],
      };
      for (const [what, text] of Object.entries(broken)) {
        writeFileSync(subjects.path('broken'), text.map((line) => `${line}\n`).join(''));
        expect([what, await rejectionOf(() => imported(subjects, true, 'broken'))]).toEqual([
          what,
          {
            code: 'ERR_BACKUP_INVALID',
            message: `The file ${subjects.path('broken')} is not an export of subject keys, or it is damaged.`,
          },
        ]);
      }
      expect([await subjects.rows(), await subjects.audits()]).toEqual(before);
    }));
});

describe('an export', () => {
  it('is a new file of its owner alone, and nothing is written over', () =>
    ON_SQLITE(async (subjects) => {
      await subjects.create('1');
      await exported(subjects);
      expect(statSync(subjects.path('keys.ndjson')).mode & 0o777).toBe(0o600);
      expect(await rejectionOf(() => exported(subjects))).toEqual({
        code: 'ERR_BACKUP_EXISTS',
        message: `There is a file ${subjects.path('keys.ndjson')} already; nothing is written over it.`,
      });
    }));

  it('of a database without subjects is refused', () =>
    ON_SQLITE(async (subjects) => {
      expect(await rejectionOf(() => exported(subjects))).toEqual({
        code: 'ERR_SUBJECT_NOT_FOUND',
        message: 'There are no subject keys in the database yet.',
      });
    }));

  it('of before an erasure is refused after it: its root is destroyed', () =>
    ON_SQLITE(async (subjects) => {
      await subjects.create('1', '2');
      await exported(subjects);
      await subjects.erase('1');
      expect(await rejectionOf(() => imported(subjects, true))).toEqual({
        code: 'ERR_SUBJECT_ROOT',
        message: `The export ${subjects.path('keys.ndjson')} is under a subject root that SUBJECT_ROOT_FILE does not hold; take one that was made after the last erasure.`,
      });
    }));

  it('of another database is refused', () =>
    ON_SQLITE(async (subjects) => {
      const ring = (id: string) => ({ id: id.repeat(32), generation: 1, keys: [], macs: {} });
      await subjects.store((store) => store.keyring.save(ring('a'), null));
      await subjects.create('1');
      await exported(subjects);
      expect(await imported(subjects)).toMatchObject({ kept: 1 });
      const content = readFileSync(subjects.rootPath);
      await ON_SQLITE(async (other) => {
        writeFileSync(other.rootPath, content);
        await other.store((store) => store.keyring.save(ring('b'), null));
        const from = subjects.path('keys.ndjson');
        expect(await rejectionOf(() => importSubjectKeys(other.deps, { from, restored: true }))).toEqual({
          code: 'ERR_BACKUP_INVALID',
          message: `The export ${from} is of another database: its keyring is another one.`,
        });
        expect(await other.rows()).toEqual([]);
      });
    }));

  it('that is absent, or has no end of line, is refused', () =>
    ON_SQLITE(async (subjects) => {
      expect(await rejectionOf(() => imported(subjects))).toEqual({
        code: 'ERR_BACKUP_INVALID',
        message: `The backup ${subjects.path('keys.ndjson')} cannot be read (ENOENT); check its path, and the rights to it.`,
      });
      writeFileSync(subjects.path('keys.ndjson'), 'x'.repeat(3_000_000));
      expect(await rejectionOf(() => imported(subjects))).toEqual({
        code: 'ERR_BACKUP_INVALID',
        message: `The file ${subjects.path('keys.ndjson')} has a line that is too long.`,
      });
    }));

  it('leaves keys that it does not have as they are, and counts those that do not open', () =>
    ON_SQLITE(async (subjects) => {
      await subjects.create('1');
      await exported(subjects);
      await subjects.create('2');
      const backup = await subjects.rows();
      // The root of the backup is another one, and gone.
      await subjects.restore(backup, '0011223344556677');
      const damaged = backup.map(({ wrapped, ...row }) => ({
        ...row,
        wrapped: String(wrapped).replace(/^..../, 'AAAA'),
      }));
      await subjects.store((store) => store.subjects.put(damaged));
      expect(await imported(subjects, true)).toMatchObject({ replaced: 1, unreadable: 1 });
    }));
});

describe('subject-keys create', () => {
  it('makes what is missing, and is audited when it made something', () =>
    ON_SQLITE(async (subjects) => {
      expect(await createSubjectKeys(subjects.deps, { subjects: [], tenant: null })).toEqual({
        subjects: 0,
        created: 0,
      });
      const make = (...ids: string[]) => createSubjectKeys(subjects.deps, { subjects: ids, tenant: 'a' });
      expect(await make('1', '2', '2')).toEqual({ subjects: 3, created: 2 });
      expect(await make('2', '1')).toEqual({ subjects: 2, created: 0 });
      expect((await subjects.rows()).map(({ tenant, subject }) => [tenant, subject])).toEqual([
        ['a', '1'],
        ['a', '2'],
      ]);
      const audits = await subjects.audits();
      expect(audits.map(({ action, details }) => [action, details])).toEqual([
        ['subject_keys_created', '{"created":2}'],
      ]);
      await subjects.erase('1', { tenant: 'a' });
      expect(await rejectionOf(() => make('3', '1'))).toMatchObject({ code: 'ERR_SUBJECT_ERASED' });
      expect(await subjects.rows()).toHaveLength(2);
    }));

  it('needs the root', () =>
    ON_SQLITE(async (subjects) => {
      writeFileSync(subjects.rootPath, Fernet.generateKey().slice(1));
      expect(
        await rejectionOf(() => createSubjectKeys(subjects.deps, { subjects: ['1'], tenant: null })),
      ).toMatchObject({
        code: 'ERR_SUBJECT_ROOT',
      });
    }));
});
