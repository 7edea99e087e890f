/** The dependencies of use cases that need no keys and no declaration, also in a process of its own. */
import type { Dependencies } from '../../src/usecases/dependencies.js';
import type { EraseDependencies } from '../../src/usecases/erase-subject.js';

/** `given` is what there is besides. */
export function bareDependencies(given: Partial<Dependencies> & Pick<Dependencies, 'target'>): Dependencies {
  return {
    schema: 'fieldseal',
    keys: { current: null, previous: [], root: null },
    subjectRootFile: null,
    loadConfig: () => Promise.reject(new Error('no declaration is needed')),
    driver: { owner: 'test', isGone: () => false },
    stop: new AbortController().signal,
    notify: () => undefined,
    ...given,
  };
}

/** An erasure beyond which there is nothing. */
export const openNoReach: EraseDependencies['openReach'] = async () => ({
  examine: async () => ({ reached: [], indexes: [], remains: [] }),
  clearIndexes: async () => [],
  close: async () => {},
});
