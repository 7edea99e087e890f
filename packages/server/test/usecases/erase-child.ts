/** A process of its own that erases a subject and kills itself at the step of that number; argv holds JSON. */
import { writeSync } from 'node:fs';
import { type EraseDependencies, eraseSubject } from '../../src/usecases/erase-subject.js';
import { bareDependencies, openNoReach } from './bare-dependencies.js';

const { target, schema, rootPath, subject, killAt } = JSON.parse(process.argv[2] ?? '{}');
let steps = 0;
const deps: EraseDependencies = {
  ...bareDependencies({ target, schema, subjectRootFile: rootPath }),
  openReach: openNoReach,
  stepDone(step) {
    if (++steps !== killAt) return;
    writeSync(1, step);
    process.kill(process.pid, 'SIGKILL');
  },
};
await eraseSubject(deps, { subject, tenant: null, dryRun: false, abandonUnreadable: false });
