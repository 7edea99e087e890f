/** The subject keys of the service's own store, for `openSubjectKeys`; and the file of the subject root. */
import {
  FieldsealError,
  type SubjectProvider,
  type SubjectRootFile,
  type SubjectRootSource,
  subjectRootFile,
} from 'fieldseal';
import type { StoreTransaction } from '../store/store.js';
import type { Dependencies } from './dependencies.js';

/** The file that SUBJECT_ROOT_FILE names. @throws FieldsealError `ERR_SUBJECT_ROOT` when it is not set */
export function givenRootFile(
  { subjectRootFile: path }: Pick<Dependencies, 'subjectRootFile'>,
  ...stepDone: [] | [Parameters<typeof subjectRootFile>[1]]
): SubjectRootFile {
  if (path !== null) return subjectRootFile(path, ...stepDone);
  throw new FieldsealError(
    'ERR_SUBJECT_ROOT',
    'SUBJECT_ROOT_FILE is not set; it names the file with the subject root. Make one with `(umask 077; fieldseal keygen > FILE)`.',
  );
}

/** A provider over the store, or over one transaction of it. */
export function storeSubjects(
  { subjects }: Pick<StoreTransaction, 'subjects'>,
  root: SubjectRootSource,
): SubjectProvider {
  return { root, load: (names) => subjects.load(names), insert: (rows, print) => subjects.insert(rows, print) };
}
