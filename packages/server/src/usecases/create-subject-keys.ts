/** `subject-keys create`: keys of subjects that have none yet. */
import { openSubjectKeys, subjectName } from 'fieldseal';
import { openStore } from '../store/open-store.js';
import type { Dependencies } from './dependencies.js';
import { givenRootFile, storeSubjects } from './store-subjects.js';

export interface CreateSubjectKeysOptions {
  readonly subjects: readonly string[];
  /** Null: there are no tenants. */
  readonly tenant: string | null;
}

/**
 * Makes the missing ones; returns how many subjects have a key now, and how many of those got it just now.
 * @throws FieldsealError `ERR_SUBJECT_ERASED` with nothing made, `ERR_CONTEXT_TYPE`, `ERR_SUBJECT_ROOT`, and those of the store
 */
export async function createSubjectKeys(
  deps: Dependencies,
  { subjects, tenant }: CreateSubjectKeysOptions,
): Promise<{ readonly subjects: number; readonly created: number }> {
  const names = subjects.map((subject) => subjectName({ tenant, subject }));
  const root = givenRootFile(deps);
  const store = await openStore(deps.target, { schema: deps.schema, mustExist: true });
  try {
    return await store.exclusiveTransaction(async (tx) => {
      const before = await tx.subjects.count();
      const keys = await openSubjectKeys(storeSubjects(tx, root), { capacity: Math.max(1, names.length) });
      try {
        await keys.create(names);
      } finally {
        await keys.close();
      }
      const created = (await tx.subjects.count()) - before;
      if (created > 0) {
        await tx.audit.insert({
          action: 'subject_keys_created',
          resourceType: 'subject_keys',
          status: 'success',
          details: JSON.stringify({ created }),
        });
      }
      return { subjects: names.length, created };
    });
  } finally {
    await store.close();
  }
}
