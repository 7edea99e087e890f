/** The `age` tool, beside which backups are held. Where there is none, a test is skipped; on CI it fails. */
import { spawnSync } from 'node:child_process';

/** What of a test's context is used here. */
interface SkippableTest {
  skip(note: string): never;
}

/** Ends the test unless `age`, `age-keygen` and `script` run here. */
export function needAgeTool(context: SkippableTest): void {
  if (['age', 'age-keygen', 'script'].every((tool) => spawnSync(tool, ['--version']).status === 0)) return;
  const note = 'no `age` and `script` here (Debian packages age and bsdutils)';
  if (process.env['CI'] === 'true') throw new Error(`${note}, and on CI nothing is skipped`);
  context.skip(note);
}

/** Runs a tool of age and returns what it printed; `input` goes to its standard input. */
export function runAge(tool: 'age' | 'age-keygen', args: readonly string[], input?: Buffer): Buffer {
  const { status, stdout, stderr } = spawnSync(tool, args, { input, maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`${tool} ended with ${status}: ${stderr}`);
  return stdout;
}

/** Runs `age` with a passphrase, which it takes from a terminal only: `script` (util-linux) gives it one. */
export function runAgeWithPassphrase(args: readonly string[], passphrase: string): void {
  const command = ['age', ...args.map((arg) => `'${arg}'`)].join(' ');
  // Twice, since a new passphrase is confirmed.
  const input = `${passphrase}\n${passphrase}\n`;
  const { status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`age ended with ${status}: ${stdout}`);
}
