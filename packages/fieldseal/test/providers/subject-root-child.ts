/** A process of its own that writes a subject root file and kills itself at a step: argv is path, verb, fingerprint, step. */
import { SubjectRoot } from '../../src/keys/subject-root.js';
import { subjectRootFile } from '../../src/providers/subject-root-file.js';

const [path = '', verb, fingerprint = '', fatal] = process.argv.slice(2);
const file = subjectRootFile(path, (step) => {
  if (step === fatal) process.kill(process.pid, 'SIGKILL');
});
if (verb === 'addNext') file.addNext(fingerprint, SubjectRoot.random());
else file.keepOnly(fingerprint);
