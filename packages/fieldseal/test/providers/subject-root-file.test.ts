/** The subject root in a file: replaced so that no moment leaves it without the root in use. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SubjectRoot } from '../../src/keys/subject-root.js';
import { type RootFileStep, subjectRootFile } from '../../src/providers/subject-root-file.js';
import { refusalOf } from '../refusal.js';
import { withFolder } from '../with-sqlite.js';

const CHILD = fileURLToPath(new URL('subject-root-child.ts', import.meta.url));
const STEPS: readonly RootFileStep[] = ['temporary file written', 'file replaced', 'old bytes overwritten'];

/** A folder with a root in the file `root`. */
const withRoot = (work: (path: string, root: SubjectRoot, folder: string) => void | Promise<void>) =>
  withFolder((folder) => {
    const root = SubjectRoot.random();
    const path = join(folder, 'root');
    writeFileSync(path, `${root.revealText()}\n`, { mode: 0o600 });
    return work(path, root, folder);
  });

const fingerprintsIn = (path: string) =>
  subjectRootFile(path)
    .read()
    .map(({ fingerprint }) => fingerprint);

describe('a subject root file', () => {
  it('holds one root, or during an erasure two, whatever the line ends', () =>
    withRoot((path, root) => {
      expect(fingerprintsIn(path)).toEqual([root.fingerprint]);
      const next = SubjectRoot.random();
      writeFileSync(path, `\n ${root.revealText()} \r\n\r\n${next.revealText()}`);
      expect(fingerprintsIn(path)).toEqual([root.fingerprint, next.fingerprint]);
    }));

  it('that is missing or malformed is refused, and its content is not repeated', () =>
    withRoot((path, root) => {
      const line = root.revealText();
      for (const content of [
        '',
        '\n',
        'secret',
        line.slice(1),
        `${line}x`,
        `${line}\n${line}\n${line}`,
        `${line}\nsecret`,
      ]) {
        writeFileSync(path, content);
        expect(refusalOf(() => subjectRootFile(path).read())).toEqual({
          code: 'ERR_SUBJECT_ROOT',
          message: `The file ${path} is not a subject root: one line of 32 bytes in base64url (two during an erasure), as \`fieldseal keygen\` prints it.`,
        });
      }
      expect(refusalOf(() => subjectRootFile(`${path}s`).read())).toEqual({
        code: 'ERR_SUBJECT_ROOT',
        message: `The subject root file ${path}s cannot be read (ENOENT).`,
      });
    }));

  it('gains a next root, and keeps the one that came into use', () =>
    withRoot((path, root) => {
      const file = subjectRootFile(path);
      const next = SubjectRoot.random();
      file.addNext(root.fingerprint, next);
      expect(fingerprintsIn(path)).toEqual([root.fingerprint, next.fingerprint]);
      file.keepOnly(next.fingerprint);
      expect(fingerprintsIn(path)).toEqual([next.fingerprint]);
      file.keepOnly(next.fingerprint);
      expect(fingerprintsIn(path)).toEqual([next.fingerprint]);
    }));

  it('loses a next root that never came into use', () =>
    withRoot((path, root) => {
      const file = subjectRootFile(path);
      const [first, second] = [SubjectRoot.random(), SubjectRoot.random()];
      file.addNext(root.fingerprint, first);
      file.addNext(root.fingerprint, second);
      expect(fingerprintsIn(path)).toEqual([root.fingerprint, second.fingerprint]);
      file.keepOnly(root.fingerprint);
      expect(fingerprintsIn(path)).toEqual([root.fingerprint]);
    }));

  it('is not changed for a root that it does not hold', () =>
    withRoot((path, root) => {
      const refusal = {
        code: 'ERR_SUBJECT_ROOT',
        message: `The file ${path} does not hold the subject root 0011223344556677 that the database names; use the file of that database.`,
      };
      expect(refusalOf(() => subjectRootFile(path).addNext('0011223344556677', SubjectRoot.random()))).toEqual(refusal);
      expect(refusalOf(() => subjectRootFile(path).keepOnly('0011223344556677'))).toEqual(refusal);
      expect(fingerprintsIn(path)).toEqual([root.fingerprint]);
    }));

  it('in a place that cannot be written says so', () =>
    withRoot((path, root) => {
      // Root may write everywhere, but nobody makes a file where a folder is.
      mkdirSync(`${path}.next`);
      expect(refusalOf(() => subjectRootFile(path).addNext(root.fingerprint, SubjectRoot.random()))).toEqual({
        code: 'ERR_SUBJECT_ROOT',
        message: `The subject root file ${path} cannot be written (EISDIR).`,
      });
      expect(fingerprintsIn(path)).toEqual([root.fingerprint]);
    }));

  it('never writes through a link that stands where its draft goes', () =>
    withRoot((path, root, folder) => {
      const victim = join(folder, 'victim');
      writeFileSync(victim, 'as it was');
      symlinkSync(victim, `${path}.next`);
      const next = SubjectRoot.random();
      subjectRootFile(path).addNext(root.fingerprint, next);
      expect(readFileSync(victim, 'utf8')).toBe('as it was');
      expect(fingerprintsIn(path)).toEqual([root.fingerprint, next.fingerprint]);
    }));

  it('keeps its rights, and no other file is left beside it', () =>
    withRoot((path, root, folder) => {
      chmodSync(path, 0o640);
      const file = subjectRootFile(path);
      const next = SubjectRoot.random();
      file.addNext(root.fingerprint, next);
      expect(statSync(path).mode & 0o777).toBe(0o640);
      file.keepOnly(next.fingerprint);
      expect(statSync(path).mode & 0o777).toBe(0o640);
      expect(readdirSync(folder)).toEqual(['root']);
    }));

  it('is replaced where a symbolic link points, so that the old root is left nowhere', () =>
    withRoot((path, root, folder) => {
      const link = join(folder, 'link');
      symlinkSync(path, link);
      const next = SubjectRoot.random();
      subjectRootFile(link).addNext(root.fingerprint, next);
      subjectRootFile(link).keepOnly(next.fingerprint);
      expect(realpathSync(link)).toBe(realpathSync(path));
      expect(fingerprintsIn(path)).toEqual([next.fingerprint]);
    }));

  it('overwrites the bytes of the root that it loses', () =>
    withRoot((path, root) => {
      const next = SubjectRoot.random();
      subjectRootFile(path).addNext(root.fingerprint, next);
      // Open since before the replacement: what is on the disk where the old file stood.
      const old = openSync(path, 'r');
      subjectRootFile(path).keepOnly(next.fingerprint);
      const bytes = Buffer.alloc(1000, 1);
      const length = readSync(old, bytes, 0, bytes.length, 0);
      closeSync(old);
      expect(length).toBe(90);
      expect(bytes.subarray(0, length).every((byte) => byte === 0)).toBe(true);
    }));

  describe.each(STEPS)('whose writer is killed: %s', (step) => {
    const kill = async (path: string, verb: string, fingerprint: string) => {
      const child = fork(CHILD, [path, verb, fingerprint, step], { execArgv: ['--import', 'tsx'] });
      const [, signal] = await once(child, 'exit');
      expect(signal).toBe('SIGKILL');
    };

    it('has the root in use, and the next writer finishes the work', () =>
      withRoot(async (path, root, folder) => {
        await kill(path, 'addNext', root.fingerprint);
        expect(fingerprintsIn(path)).toContain(root.fingerprint);
        const next = SubjectRoot.random();
        subjectRootFile(path).addNext(root.fingerprint, next);
        await kill(path, 'keepOnly', next.fingerprint);
        expect(fingerprintsIn(path)).toContain(next.fingerprint);
        expect(existsSync(`${path}.next`)).toBe(step === 'temporary file written');
        subjectRootFile(path).keepOnly(next.fingerprint);
        expect(fingerprintsIn(path)).toEqual([next.fingerprint]);
        expect(readdirSync(folder)).toEqual(['root']);
      }));
  });
});
