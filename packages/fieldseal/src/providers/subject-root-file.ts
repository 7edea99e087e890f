/**
 * The subject root in a file: a line for it as `fieldseal keygen` prints one; during an erasure a second line, for the
 * root that takes its place. Whoever reads the file uses the line that the database names by its fingerprint.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { FieldsealError, isFieldsealError } from '../errors.js';
import type { SubjectRootSource } from '../keys/subject-provider.js';
import { SubjectRoot } from '../keys/subject-root.js';

/** A file with one subject root, or two. Its writers take turns: the service does so by a lock in the database. */
export interface SubjectRootFile extends SubjectRootSource {
  /** @throws FieldsealError `ERR_SUBJECT_ROOT` when it is missing or malformed; the message never repeats its content */
  read(): SubjectRoot[];
  /**
   * Adds a root behind the current one. One that was added before and never came into use is gone then.
   * @throws FieldsealError `ERR_SUBJECT_ROOT` when the file has no root of that fingerprint, or cannot be written
   */
  addNext(currentFingerprint: string, next: SubjectRoot): void;
  /**
   * Keeps the root of that fingerprint alone. The bytes of any other are overwritten where they stood, as far as the file
   * system lets that be done.
   * @throws FieldsealError `ERR_SUBJECT_ROOT` when the file has no root of that fingerprint, or cannot be written
   */
  keepOnly(fingerprint: string): void;
}

/** A moment in the writing of the file, at which a test stops the process. */
export type RootFileStep = 'temporary file written' | 'file replaced' | 'old bytes overwritten';

const OVER = Buffer.alloc(4096);

/**
 * The subject root in the file `path`, which should be readable for the application and for nobody else, and which no
 * backup of the database may hold.
 *
 * @param stepDone called at each moment between two writes, for tests
 * @example
 * const root = subjectRootFile('/etc/fieldseal/subject-root');
 */
export function subjectRootFile(path: string, stepDone: (step: RootFileStep) => void = () => {}): SubjectRootFile {
  const read = (): SubjectRoot[] => {
    try {
      return parse(readText(path), path);
    } catch (error) {
      if (!isFieldsealError(error)) throw error;
      // It may have been replaced, and its old bytes overwritten, between opening and reading it. Once more tells.
      return parse(readText(path), path);
    }
  };
  const find = (roots: readonly SubjectRoot[], fingerprint: string): SubjectRoot => {
    const root = roots.find((candidate) => candidate.fingerprint === fingerprint);
    if (root) return root;
    throw new FieldsealError(
      'ERR_SUBJECT_ROOT',
      `The file ${path} does not hold the subject root ${fingerprint} that the database names; use the file of that database.`,
    );
  };
  const write = (roots: readonly SubjectRoot[]): void => {
    try {
      replaceContent(path, `${roots.map((root) => root.revealText()).join('\n')}\n`, stepDone);
    } catch (error) {
      throw unusable(path, 'cannot be written', error);
    }
  };
  return {
    read,
    addNext(currentFingerprint, next) {
      write([find(read(), currentFingerprint), next]);
    },
    keepOnly(fingerprint) {
      const roots = read();
      const kept = find(roots, fingerprint);
      if (roots.length > 1) write([kept]);
      // A process that was killed before it could rename its draft left every root in it.
      else destroy(temporaryName(realpathSync(path)));
    },
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw unusable(path, 'cannot be read', error);
  }
}

function parse(text: string, path: string): SubjectRoot[] {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  try {
    if (lines.length === 1 || lines.length === 2) return lines.map((line) => SubjectRoot.fromText(line));
  } catch (error) {
    if (!isFieldsealError(error)) throw error;
  }
  throw new FieldsealError(
    'ERR_SUBJECT_ROOT',
    `The file ${path} is not a subject root: one line of 32 bytes in base64url (two during an erasure), as \`fieldseal keygen\` prints it.`,
  );
}

/** Beside the file, so that a rename reaches it. One name, so that no forgotten draft is left with a root in it. */
function temporaryName(file: string): string {
  return `${file}.next`;
}

/** At every moment the file has its old content or the new one, on the disk; then the old one's bytes are overwritten. */
function replaceContent(path: string, text: string, stepDone: (step: RootFileStep) => void): void {
  // Through symbolic links: a rename would put the new file in a link's place, and leave the old root behind it.
  const file = realpathSync(path);
  const temporary = temporaryName(file);
  destroy(temporary);
  const access = statSync(file);
  const old = openForOverwriting(file);
  try {
    writeNew(temporary, text, access);
    stepDone('temporary file written');
    renameSync(temporary, file);
    syncFolderOf(file);
    stepDone('file replaced');
    overwrite(old);
    stepDone('old bytes overwritten');
  } finally {
    closeSync(old);
  }
}

/** A file of mode 0600 until it belongs to whom the old one did; then with the rights of the old one. */
function writeNew(file: string, text: string, like: Stats): void {
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  const made = statSync(file);
  const isForGroup = (like.mode & 0o070) !== 0 && made.gid !== like.gid;
  // Only root can. Without it the application could not read the new root, so that nothing must go on.
  if (made.uid !== like.uid || isForGroup) chownSync(file, like.uid, like.gid);
  chmodSync(file, like.mode & 0o777);
}

function openForOverwriting(file: string): number {
  try {
    return openSync(file, 'r+');
  } catch (error) {
    // A root is often a file that its owner may only read.
    if (!(error instanceof Error && 'code' in error && error.code === 'EACCES')) throw error;
    chmodSync(file, statSync(file).mode | 0o200);
    return openSync(file, 'r+');
  }
}

function overwrite(descriptor: number): void {
  const { size } = fstatSync(descriptor);
  for (let position = 0; position < size; position += OVER.length) {
    writeSync(descriptor, OVER, 0, Math.min(OVER.length, size - position), position);
  }
  fsyncSync(descriptor);
}

/** Overwrites and removes a file, if there is one. */
function destroy(file: string): void {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (!stats) return;
  // Never through a link: somebody who may write to the folder could have another file overwritten.
  if (!stats.isFile()) {
    unlinkSync(file);
    return;
  }
  const descriptor = openForOverwriting(file);
  try {
    overwrite(descriptor);
  } finally {
    closeSync(descriptor);
  }
  unlinkSync(file);
}

function syncFolderOf(file: string): void {
  const descriptor = openSync(file.replace(/[^/\\]*$/, '') || '.', 'r');
  try {
    fsyncSync(descriptor);
  } catch {
    // Some network file systems cannot; the file itself is on the disk.
  } finally {
    closeSync(descriptor);
  }
}

function unusable(path: string, what: string, error: unknown): FieldsealError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  return new FieldsealError('ERR_SUBJECT_ROOT', `The subject root file ${path} ${what} (${code}).`);
}
