/** The subject keys of the service's own store, for `openSubjectKeys`; and the file of the subject root. */
import {
  type EnvironmentKeys,
  FieldsealError,
  type SubjectProvider,
  SubjectRoot,
  type SubjectRootFile,
  type SubjectRootSource,
  subjectRootFile,
} from 'fieldseal';
import type { StoreTransaction } from '../store/store.js';
import type { Dependencies } from './dependencies.js';

/** The file that SUBJECT_ROOT_FILE names. @throws FieldsealError `ERR_SUBJECT_ROOT` when it is not set */
export function givenRootFile(
  { subjectRootFile: path, keys }: Pick<Dependencies, 'subjectRootFile' | 'keys'>,
  ...stepDone: [] | [Parameters<typeof subjectRootFile>[1]]
): SubjectRootFile {
  if (path !== null) {
    const file = subjectRootFile(path, ...stepDone);
    assertOwnKey(file, keys);
    return file;
  }
  throw new FieldsealError(
    'ERR_SUBJECT_ROOT',
    'SUBJECT_ROOT_FILE is not set; it names the file with the subject root. Make one with `(umask 077; fieldseal keygen > FILE)`.',
  );
}

/** @throws FieldsealError `ERR_SUBJECT_ROOT` when a root is a data key or the root key: who holds those could open erased values */
function assertOwnKey(file: SubjectRootFile, { current, previous, root }: EnvironmentKeys): void {
  const others = [current, ...previous, root].flatMap((key) => (key ? [new SubjectRoot(key).fingerprint] : []));
  if (!file.read().some(({ fingerprint }) => others.includes(fingerprint))) return;
  throw new FieldsealError(
    'ERR_SUBJECT_ROOT',
    'The subject root is the same key as ENCRYPTION_KEY, ENCRYPTION_KEY_PREVIOUS or ROOT_KEY. It has to be one of its own, in a ' +
      'file of its own: an erasure destroys it. Make one with `(umask 077; fieldseal keygen > FILE)`.',
  );
}

/** A provider over the store, or over one transaction of it. */
export function storeSubjects(
  { subjects }: Pick<StoreTransaction, 'subjects'>,
  root: SubjectRootSource,
): SubjectProvider {
  return { root, load: (names) => subjects.load(names), insert: (rows, print) => subjects.insert(rows, print) };
}
