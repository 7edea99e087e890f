/** A process of its own that creates or restores a backup; argv holds the verb, the database and the options as JSON. */
import { createBackup } from '../../src/usecases/create-backup.js';
import type { Dependencies } from '../../src/usecases/dependencies.js';
import { restoreBackup } from '../../src/usecases/restore-backup.js';

const [verb, file, options] = JSON.parse(process.argv[2] ?? '[]');
const deps: Dependencies = {
  target: { dialect: 'sqlite', file },
  schema: 'fieldseal',
  keys: { current: null, previous: [], root: null },
  subjectRootFile: null,
  loadConfig: () => Promise.reject(new Error('a backup needs no configuration')),
  driver: { owner: 'child', isGone: () => false },
  stop: new AbortController().signal,
  notify: () => undefined,
};
await (verb === 'create' ? createBackup(deps, options) : restoreBackup(deps, options));
