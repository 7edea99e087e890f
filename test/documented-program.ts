/** The programs of docs/other-languages.md, out of the document and run with the commands that stand there. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeBlocksOf } from './code-blocks.ts';

/** The place of the document's example; each run has another in its stead. */
const EXAMPLE = ' acme users email t:7 < email.token';
const PROGRAM = /^<!-- file: (\S+) -->\n```\w+\n([\s\S]*?)^```$/gm;

/** How a run ended. */
export interface Run {
  readonly exitCode: number | null;
  readonly output: string;
  readonly complaint: string;
}

/** A program that is ready to run. */
export interface DocumentedProgram {
  /** @param args in the place of the example's; @param env keys, besides a path and a locale of UTF-8 */
  run(token: string, args: readonly string[], env: Readonly<Record<string, string>>): Run;
}

/** The document's program files by their names: the blocks of other languages that are marked `<!-- file: NAME -->`. */
export function programFilesOf(markdown: string): Map<string, string> {
  return new Map([...markdown.matchAll(PROGRAM)].map(([, name = '', code = '']) => [name, code]));
}

/**
 * Writes the document's programs into `folder` and does all that its command for `name` says before its last line, such
 * as compiling.
 * @param path where commands are looked for
 */
export function prepareProgram(markdown: string, name: string, folder: string, path: string): DocumentedProgram {
  const stem = name.replace(/\.\w+$/, '');
  const block = codeBlocksOf(markdown).find(({ code }) => code.includes(stem) && code.endsWith(`${EXAMPLE}\n`));
  if (!block) throw new Error(`the document has no command for ${name}`);
  mkdirSync(folder, { recursive: true });
  for (const [file, code] of programFilesOf(markdown)) writeFileSync(join(folder, file), code);
  const lines = block.code.trimEnd().split('\n');
  const command = `${(lines.pop() as string).slice(0, -EXAMPLE.length)} "$@"`;
  const runScript = (script: string, input: string, args: readonly string[], env: Readonly<Record<string, string>>) =>
    spawnSync('bash', ['-c', script, 'bash', ...args], {
      cwd: folder,
      env: { PATH: path, HOME: folder, LC_ALL: 'C.UTF-8', ...env },
      input,
      encoding: 'utf8',
      maxBuffer: 1 << 24,
    });
  const made = runScript(`set -e\n${lines.join('\n')}`, '', [], {});
  if (made.status !== 0) throw new Error(`${lines.join('; ')} ended with ${made.status}: ${made.stderr}`);
  return {
    run(token, args, env) {
      const { status, stdout, stderr } = runScript(command, `${token}\n`, args, env);
      return { exitCode: status, output: stdout, complaint: stderr };
    },
  };
}
