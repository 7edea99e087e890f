/** The dependencies of a use case that runs in the test's own process, on a project of the test's. */
import { type Environment, takeEnvironmentKeys } from 'fieldseal';
import { loadConfig } from '../../src/config/load-config.js';
import type { Dependencies, Notice } from '../../src/usecases/dependencies.js';
import type { Project } from '../with-project.js';

/** `env` is the whole environment; the project's key alone unless told. */
export function dependenciesOf(
  project: Project,
  { env = { ENCRYPTION_KEY: project.key }, notices = [] }: { env?: Environment; notices?: Notice[] } = {},
): Dependencies {
  return {
    target: { dialect: 'sqlite', file: project.file },
    schema: 'fieldseal',
    keys: takeEnvironmentKeys({ ...env }),
    subjectRootFile: env['SUBJECT_ROOT_FILE'] ?? null,
    loadConfig: () => loadConfig(project.folder, null),
    driver: { owner: 'test', isGone: () => false },
    stop: new AbortController().signal,
    notify: (notice) => void notices.push(notice),
  };
}
