/** The keys of subjects, as a sweep uses them: known before a batch is worked on, whatever became of them. */
import { FieldsealError, isFieldsealError, Secret, SubjectKey, type SubjectKeys, type SubjectName } from 'fieldseal';
import type { SweptSubjects } from './range-walk.js';

/** What happens to subjects that have no key yet: they get one, one that is never stored (a dry run), or none. */
export type AbsentSubjects = 'create' | 'pretend' | 'refuse';

function isCode(error: unknown, code: FieldsealError['code']): boolean {
  return isFieldsealError(error) && error.code === code;
}

/** Over open keys; their owner closes those. */
export function sweptSubjects(keys: SubjectKeys, absent: AbsentSubjects): SweptSubjects {
  const pretended = new Map<string, SubjectKey>();
  const refused = new Set<string>();
  const nameOf = ({ tenant, subject }: SubjectName) => JSON.stringify([tenant, subject]);
  const isLoaded = ({ tenant, subject }: SubjectName): boolean => {
    try {
      keys.get(tenant, subject);
      return true;
    } catch (error) {
      return !isCode(error, 'ERR_SUBJECT_KEY_NOT_LOADED');
    }
  };
  return {
    get generation() {
      return keys.generation;
    },
    get(tenant, subject) {
      const name = nameOf({ tenant, subject });
      const known = pretended.get(name);
      if (known) return known;
      if (!refused.has(name)) return keys.get(tenant, subject);
      throw new FieldsealError('ERR_SUBJECT_NOT_FOUND', 'The subject has no key.');
    },
    async prepare(names) {
      refused.clear();
      pretended.clear();
      // Loaded keys are not read again: an erasure during the sweep is learned of here, batch by batch.
      await keys.refresh();
      try {
        await keys.load(names);
        return;
      } catch (error) {
        if (!isCode(error, 'ERR_SUBJECT_NOT_FOUND')) throw error;
      }
      // The others are loaded, and an erased one says so when it is asked for.
      const missing = names.filter((name) => !isLoaded(name));
      if (absent === 'create') await keys.create(missing);
      else if (absent === 'refuse') for (const name of missing) refused.add(nameOf(name));
      else for (const name of missing) pretended.set(nameOf(name), new SubjectKey(name, Secret.random(32)));
    },
  };
}
