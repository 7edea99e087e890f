/** A local Python beside which the library is held. Where there is none, a test is skipped; on CI it fails. */
import { spawnSync } from 'node:child_process';

const CANDIDATES = ['python3', '/usr/bin/python3'];

/** What of a test's context is used here. */
interface SkippableTest {
  skip(note: string): never;
}

/** A python3 in which `statement` (an import, say) works. Without one the test ends here: skipped, or failed on CI. */
export function pythonFor(statement: string, context: SkippableTest): string {
  const python = CANDIDATES.find((candidate) => spawnSync(candidate, ['-c', statement]).status === 0);
  if (python) return python;
  const note = `no python3 here runs \`${statement}\``;
  if (process.env['CI'] === 'true') throw new Error(`${note}, and on CI nothing is skipped`);
  return context.skip(note);
}

/** Runs `script` in one process: `input` goes in as JSON on its standard input, its standard output comes back parsed. */
export function runPython<T>(python: string, script: string, input: unknown): T {
  const { status, stdout, stderr } = spawnSync(python, ['-c', script], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, PYTHONIOENCODING: 'utf-8' },
  });
  if (status !== 0) throw new Error(`python ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}
