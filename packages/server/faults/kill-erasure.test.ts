/** An erasure that is killed at each of its steps. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ended } from '../test/ended.js';
import { DATABASES, type Subjects } from '../test/usecases/with-subjects.js';

const CHILD = fileURLToPath(new URL('../test/usecases/erase-child.ts', import.meta.url));

describe.each(DATABASES)('on %s', (_name, withSubjects) => {
  it(
    'killed at any of its steps leaves every other secret readable, and the same call finishes it',
    { timeout: 240_000 },
    () =>
      withSubjects(async (subjects) => {
        const ids = Array.from({ length: 40 }, (_, i) => String(i));
        let expected = await subjects.create(...ids);
        const steps: string[] = [];
        for (let killAt = 1; killAt <= 9; killAt++) {
          const victim = String(killAt);
          steps.push(await killedErasure(subjects, victim, killAt));
          const isCommitted = killAt >= 6;
          const afterwards = { ...expected, ...(isCommitted && { [victim]: 'ERR_SUBJECT_ERASED' }) };
          expect(await subjects.secrets(...ids)).toEqual(afterwards);

          const report = await subjects.erase(victim);
          expect(report.wasErased).toBe(isCommitted);
          expected = { ...expected, [victim]: 'ERR_SUBJECT_ERASED' };
          expect(await subjects.secrets(...ids)).toEqual(expected);
          expect(subjects.roots()).toEqual([report.root]);
          expect(subjects.files()).toEqual(['subject-root']);
        }
        const file = ['temporary file written', 'file replaced', 'old bytes overwritten'];
        expect(steps).toEqual(['indexes cleared', ...file, 'wrapped again', 'committed', ...file]);
        const audits = (await subjects.audits()).filter(({ action }) => action === 'subject_erased');
        expect(audits.map(({ resourceId }) => resourceId).toSorted()).toEqual([
          '1',
          '2',
          '3',
          '4',
          '5',
          '6',
          '7',
          '8',
          '9',
        ]);
      }),
  );
});

/** Runs the child until it kills itself, and returns the step at which it did. */
async function killedErasure({ target, schema, rootPath }: Subjects, subject: string, killAt: number): Promise<string> {
  const args = JSON.stringify({ target, schema, rootPath, subject, killAt });
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, args]);
  const { stdout, stderr } = await ended(child);
  expect({ signal: child.signalCode, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
  return stdout;
}
