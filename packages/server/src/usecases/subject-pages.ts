/** All stored subjects, and the root that they are under. */
import { FieldsealError, type SubjectName, type SubjectRoot, type SubjectRootFile } from 'fieldseal';
import type { StoreTransaction, SubjectRow } from '../store/store.js';

const PAGE_ROWS = 500;
/** Outside a transaction an erasure may have ended between the two readings. */
const ATTEMPTS = 3;

/** All rows in the order of tenant and subject, some at a time. */
export async function* subjectPages({ subjects }: StoreTransaction): AsyncGenerator<SubjectRow[]> {
  let after: SubjectName | null = null;
  for (;;) {
    const rows: SubjectRow[] = await subjects.page({ after, limit: PAGE_ROWS });
    const last = rows.at(-1);
    if (!last) return;
    yield rows;
    after = last;
  }
}

/** The root of the file that the database names. @throws FieldsealError `ERR_SUBJECT_ROOT`, `ERR_SUBJECT_NOT_FOUND` */
export async function rootInUse({ subjects }: StoreTransaction, file: SubjectRootFile): Promise<SubjectRoot> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const roots = file.read();
    const state = await subjects.state();
    if (!state) throw new FieldsealError('ERR_SUBJECT_NOT_FOUND', 'There are no subject keys in the database yet.');
    const root = roots.find(({ fingerprint }) => fingerprint === state.rootFingerprint);
    if (root) return root;
  }
  throw new FieldsealError(
    'ERR_SUBJECT_ROOT',
    'SUBJECT_ROOT_FILE does not hold the root that the stored subject keys are wrapped under; give the file of that database. ' +
      'After a restore of a backup older than an erasure, run `fieldseal subject-keys import FILE --restored` first.',
  );
}
