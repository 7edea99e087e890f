/** An erasure: the subject's secret is nowhere any more, and everybody else's is where it was. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { decodeFernetKey, Fernet, isFieldsealError, SubjectRoot, subjectRootFile } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import type { SubjectRow } from '../../src/store/store.js';
import { eraseSubject } from '../../src/usecases/erase-subject.js';
import type { SubjectReach } from '../../src/usecases/subject-reach.js';
import { refusalOf, rejectionOf } from '../refusal.js';
import { DATABASES, ON_SQLITE } from './with-subjects.js';

/** How many of the rows open under one of the roots in the file. */
function openable(rows: readonly SubjectRow[], rootPath: string): string[] {
  const roots = subjectRootFile(rootPath).read();
  return rows
    .filter(({ wrapped, ...name }) =>
      roots.some((root) => {
        try {
          root.unwrap(name, String(wrapped)).dispose();
          return true;
        } catch (error) {
          if (isFieldsealError(error)) return false;
          throw error;
        }
      }),
    )
    .map(({ subject }) => subject);
}

describe.each(DATABASES)('on %s', (_name, withSubjects) => {
  it('an erased subject’s secret opens from nothing that is left, and the others do', () =>
    withSubjects(async (subjects) => {
      const before = await subjects.create('1', '2', '3');
      const oldRows = await subjects.rows();
      const [oldRoot] = subjects.roots();
      expect(openable(oldRows, subjects.rootPath)).toEqual(['1', '2', '3']);

      const report = await subjects.erase('2');
      expect(report).toEqual({
        subject: '2',
        tenant: null,
        dryRun: false,
        wasErased: false,
        rewrapped: 2,
        abandoned: 0,
        root: subjects.roots()[0],
        reached: [],
        indexesCleared: [],
        remains: [],
      });
      expect(subjects.roots()).toEqual([expect.not.stringMatching(String(oldRoot))]);
      expect(subjects.files()).toEqual(['subject-root']);
      expect(await subjects.secrets('1', '2', '3')).toEqual({ ...before, 2: 'ERR_SUBJECT_ERASED' });
      // Older copies of the rows, with the root that there is now.
      expect(openable(oldRows, subjects.rootPath)).toEqual([]);
      const rows = await subjects.rows();
      expect(openable(rows, subjects.rootPath)).toEqual(['1', '3']);
      expect(rows.find(({ subject }) => subject === '2')).toMatchObject({ wrapped: null });
      expect(await rejectionOf(() => subjects.create('2'))).toMatchObject({ code: 'ERR_SUBJECT_ERASED' });
      await subjects.restore(oldRows, String(oldRoot));
      expect(await rejectionOf(() => subjects.secrets('2'))).toMatchObject({ code: 'ERR_SUBJECT_ROOT' });
    }));

  it('is audited, with counts and without a secret', () =>
    withSubjects(async (subjects) => {
      await subjects.create('1', '2', '3');
      await subjects.erase('2');
      const [row] = await subjects.audits();
      expect({ ...row, details: JSON.parse(row?.details ?? '') }).toMatchObject({
        action: 'subject_erased',
        resourceType: 'subject',
        resourceId: '2',
        status: 'success',
        details: { root: subjects.roots()[0], rewrapped: 2, abandoned: 0, values: 0, indexRows: 0 },
      });
    }));

  it('is learned of by an application that has the keys loaded, with the root that took the old one’s place', () =>
    withSubjects(async (subjects) => {
      const { 2: kept } = await subjects.create('1', '2');
      await subjects.keys(async (keys) => {
        await keys.load([1, 2]);
        await subjects.erase('1');
        await keys.refresh();
        expect(refusalOf(() => keys.get('', '1'))).toEqual({
          code: 'ERR_SUBJECT_ERASED',
          message: 'The subject "1" was erased: nothing of it can be read or written.',
        });
        expect(keys.get('', '2').secret.reveal().toString('hex')).toBe(kept);
        await keys.create([3]);
      });
      expect((await subjects.secrets('3'))['3']).toMatch(/^[0-9a-f]{64}$/);
    }));

  it('a second time says so and changes nothing', () =>
    withSubjects(async (subjects) => {
      await subjects.create('1', '2');
      const first = await subjects.erase('1');
      const before = [await subjects.rows(), await subjects.audits(), readFileSync(subjects.rootPath, 'utf8')];
      expect(await subjects.erase('1')).toMatchObject({ wasErased: true, rewrapped: 0, root: first.root });
      expect([await subjects.rows(), await subjects.audits(), readFileSync(subjects.rootPath, 'utf8')]).toEqual(before);
    }));

  it('is of one tenant’s subject alone', () =>
    withSubjects(async (subjects) => {
      await subjects.keys((keys) => keys.create([1, { tenant: 'a', subject: 1 }, { tenant: 'b', subject: 1 }]));
      await subjects.erase('1', { tenant: 'a' });
      const rows = await subjects.rows();
      expect(rows.map(({ tenant, wrapped }) => [tenant, wrapped === null])).toEqual([
        ['', false],
        ['a', true],
        ['b', false],
      ]);
      const [audit] = await subjects.audits();
      expect(JSON.parse(audit?.details ?? '')).toMatchObject({ tenant: 'a' });
    }));

  it('with --dry-run writes nothing', () =>
    withSubjects(async (subjects) => {
      await subjects.create('1', '2', '3');
      const before = [await subjects.rows(), await subjects.audits(), readFileSync(subjects.rootPath, 'utf8')];
      const report = await subjects.erase('1', { dryRun: true });
      expect(report).toMatchObject({ dryRun: true, wasErased: false, rewrapped: 2, root: subjects.roots()[0] });
      expect([await subjects.rows(), await subjects.audits(), readFileSync(subjects.rootPath, 'utf8')]).toEqual(before);
    }));

  it('of a subject without a key is refused', () =>
    withSubjects(async (subjects) => {
      const refusal = {
        code: 'ERR_SUBJECT_NOT_FOUND',
        message: 'There is no key for the subject "9": nothing was ever encrypted under one, or --tenant is not right.',
      };
      for (const dryRun of [true, false]) {
        expect(await rejectionOf(() => subjects.erase('9', { dryRun }))).toEqual(refusal);
      }
      await subjects.create('1');
      for (const dryRun of [true, false]) {
        expect(await rejectionOf(() => subjects.erase('9', { dryRun }))).toEqual(refusal);
      }
    }));

  it('under another root, or without the file, is refused and changes nothing', () =>
    withSubjects(async (subjects) => {
      await subjects.create('1', '2');
      const before = [await subjects.rows(), await subjects.audits()];
      writeFileSync(subjects.rootPath, Fernet.generateKey());
      const message =
        'SUBJECT_ROOT_FILE does not hold the root that the stored subject keys are wrapped under; give the file of that database. ' +
        'After a restore of a backup older than an erasure, run `fieldseal subject-keys import FILE --restored` first.';
      expect(await rejectionOf(() => subjects.erase('1'))).toEqual({ code: 'ERR_SUBJECT_ROOT', message });
      Object.assign(subjects.deps, { subjectRootFile: null });
      expect(await rejectionOf(() => subjects.erase('1'))).toEqual({
        code: 'ERR_SUBJECT_ROOT',
        message:
          'SUBJECT_ROOT_FILE is not set; it names the file with the subject root. Make one with `(umask 077; fieldseal keygen > FILE)`.',
      });
      expect([await subjects.rows(), await subjects.audits()]).toEqual(before);
    }));

  it('loses no secret of others that does not open, unless it is told to', () =>
    withSubjects(async (subjects) => {
      const secrets = await subjects.create('1', '2', '3');
      const [one] = await subjects.rows();
      await subjects.store((store) =>
        store.subjects.rewrap([{ tenant: '', subject: '3', wrapped: one?.wrapped ?? '' }]),
      );
      const before = await subjects.rows();
      expect(await rejectionOf(() => subjects.erase('1'))).toEqual({
        code: 'ERR_SUBJECT_ROOT',
        message:
          'The keys of 1 other subject(s) do not open under the subject root, and would be lost for good; nothing was ' +
          'erased. Put them back with `fieldseal subject-keys import FILE`, or give them up with --abandon-unreadable.',
      });
      expect(await subjects.rows()).toEqual(before);
      expect(await subjects.secrets('1', '2')).toEqual({ 1: secrets['1'], 2: secrets['2'] });
      expect(await subjects.erase('1', { abandonUnreadable: true })).toMatchObject({ rewrapped: 1, abandoned: 1 });
      expect(await subjects.secrets('1', '2', '3')).toEqual({
        1: 'ERR_SUBJECT_ERASED',
        2: secrets['2'],
        3: 'ERR_DECRYPT_FAILED',
      });
    }));

  it('of two at the same time ends with both erased, and one root', () =>
    withSubjects(async (subjects) => {
      const ids = Array.from({ length: 20 }, (_, i) => String(i));
      const before = await subjects.create(...ids);
      const erasures = await Promise.allSettled(['3', '7', '9'].map((id) => subjects.erase(id)));
      expect(erasures.map((erasure) => ('reason' in erasure ? erasure.reason : erasure.status))).toEqual([
        'fulfilled',
        'fulfilled',
        'fulfilled',
      ]);
      const gone = { 3: 'ERR_SUBJECT_ERASED', 7: 'ERR_SUBJECT_ERASED', 9: 'ERR_SUBJECT_ERASED' };
      expect(await subjects.secrets(...ids)).toEqual({ ...before, ...gone });
      expect(subjects.roots()).toHaveLength(1);
      expect(subjects.files()).toEqual(['subject-root']);
    }));

  it('while others make keys leaves every one of them readable', () =>
    withSubjects(async (subjects) => {
      await subjects.create('victim', ...Array.from({ length: 300 }, (_, i) => `old ${i}`));
      let isErased = false;
      const made: string[] = [];
      const making = (async () => {
        while (!isErased || made.length < 20) {
          const id = `new ${made.length}`;
          await subjects.create(id);
          made.push(id);
        }
      })();
      await subjects.erase('victim');
      isErased = true;
      await making;
      const secrets = await subjects.secrets(...made);
      for (const id of made) expect(secrets[id]).toMatch(/^[0-9a-f]{64}$/);
    }));
});

describe('an erasure', () => {
  it('that cannot write the root file changes nothing', () =>
    ON_SQLITE(async (subjects) => {
      const before = await subjects.create('1', '2');
      // A folder in the place of the draft: also root cannot write there.
      mkdirSync(`${subjects.rootPath}.next`);
      expect(await rejectionOf(() => subjects.erase('1'))).toEqual({
        code: 'ERR_SUBJECT_ROOT',
        message: `The subject root file ${subjects.rootPath} cannot be written (EISDIR).`,
      });
      expect(await subjects.secrets('1', '2')).toEqual(before);
    }));

  it('has indexes cleared before and after, and says what it reached and what remains', () =>
    ON_SQLITE(async (subjects) => {
      await subjects.create('1', '2');
      const calls: string[] = [];
      const reach: SubjectReach = {
        examine: async ({ subject }) => {
          calls.push(`examine ${subject}`);
          return {
            reached: [
              { table: 'users', column: 'email', values: 1 },
              { table: 'orders', column: 'address', values: 5 },
            ],
            indexes: [{ table: 'users', column: 'email_index', rows: 1 }],
            remains: [{ table: 'users', column: 'phone', what: 'under a key that is not the subject’s', values: 1 }],
          };
        },
        clearIndexes: async () => {
          calls.push('clear');
          return [{ table: 'users', column: 'email_index', rows: calls.length }];
        },
        close: async () => void calls.push('close'),
      };
      Object.assign(subjects.deps, { openReach: async () => reach });
      const dry = await subjects.erase('1', { dryRun: true });
      expect(dry.indexesCleared).toEqual([{ table: 'users', column: 'email_index', rows: 1 }]);
      expect(calls.splice(0)).toEqual(['examine 1', 'close']);

      const report = await subjects.erase('1');
      expect(calls).toEqual(['examine 1', 'clear', 'clear', 'close']);
      expect(report.reached.map(({ values }) => values)).toEqual([1, 5]);
      expect(report.indexesCleared).toEqual([{ table: 'users', column: 'email_index', rows: 2 + 3 }]);
      expect(report.remains).toHaveLength(1);
      const [audit] = await subjects.audits();
      expect(JSON.parse(audit?.details ?? '')).toMatchObject({ values: 6, indexRows: 2 });
    }));

  it('keeps the rights of the root file', () =>
    ON_SQLITE(async (subjects) => {
      await subjects.create('1', '2');
      chmodSync(subjects.rootPath, 0o440);
      await subjects.erase('1');
      expect(SubjectRoot.fromText(readFileSync(subjects.rootPath, 'utf8').trim()).fingerprint).toBe(
        subjects.roots()[0],
      );
    }));
});

describe('a subject root that is another key', () => {
  it.each(['current', 'root'] as const)('is refused before anything is written: the %s key', (kind) =>
    ON_SQLITE(async (subjects) => {
      await subjects.create('1', '2');
      const root = subjects.rootPath;
      const text = readFileSync(root, 'utf8');
      const keys = { current: null, previous: [], root: null, [kind]: decodeFernetKey(text.trim()) };
      const report = () =>
        eraseSubject(
          { ...subjects.deps, keys },
          { subject: '1', tenant: null, dryRun: false, abandonUnreadable: false },
        );
      expect(await rejectionOf(report)).toEqual({
        code: 'ERR_SUBJECT_ROOT',
        message: expect.stringMatching(
          /^The subject root is the same key as ENCRYPTION_KEY, ENCRYPTION_KEY_PREVIOUS or ROOT_KEY\. /,
        ),
      });
      expect(readFileSync(root, 'utf8')).toBe(text);
      expect((await subjects.rows()).map(({ wrapped }) => wrapped === null)).toEqual([false, false]);
    }),
  );
});
