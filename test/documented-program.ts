/** The programs of docs/other-languages.md, out of the document and run with the commands that stand there. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeBlocksOf } from './code-blocks.ts';

/** The end of each command in the document; a run has other arguments and another token in its stead. */
const EXAMPLE = ' acme users email t:7 < email.token';
const FILE_BLOCK = /^<!-- file: (\S+) -->\n```\w+\n([\s\S]*?)^```$/gm;

/** How a run ended. */
export interface Run {
  /** -1 when it was ended by a signal. */
  readonly exitCode: number;
  readonly output: string;
  readonly complaint: string;
}

/** A program that is ready to run. */
export interface DocumentedProgram {
  /** @param args in the place of the example's. @param env keys, besides a path and a locale of UTF-8 */
  run(token: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Run>;
}

type Environment = Readonly<Record<string, string>>;

function runBash(script: string, args: readonly string[], input: string, cwd: string, env: Environment): Promise<Run> {
  return new Promise((resolve) => {
    const options = { cwd, env, maxBuffer: 1 << 24 };
    const child = execFile('bash', ['-c', script, 'bash', ...args], options, (_error, output, complaint) => {
      resolve({ exitCode: child.exitCode ?? -1, output, complaint });
    });
    // Who refuses before reading closes the pipe.
    child.stdin?.on('error', () => {}).end(input);
  });
}

/**
 * Writes the document's programs into `folder`, and does there what its command for the program `name` says before its
 * last line, such as compiling.
 * @param path where commands are looked for
 */
export async function prepareProgram(
  markdown: string,
  name: string,
  folder: string,
  path: string,
): Promise<DocumentedProgram> {
  const block = codeBlocksOf(markdown).find(({ code }) => code.includes(name) && code.endsWith(`${EXAMPLE}\n`));
  if (!block) throw new Error(`the document has no command for ${name}`);
  await mkdir(folder, { recursive: true });
  for (const [, file = '', code = ''] of markdown.matchAll(FILE_BLOCK)) await writeFile(join(folder, file), code);
  const lines = block.code.trimEnd().split('\n');
  const command = `${(lines.pop() as string).slice(0, -EXAMPLE.length)} "$@"`;
  const env = { PATH: path, HOME: folder, LC_ALL: 'C.UTF-8' };
  const made = await runBash(`set -e\n${lines.join('\n')}`, [], '', folder, env);
  if (made.exitCode !== 0) throw new Error(`${lines.join('; ')} ended with ${made.exitCode}: ${made.complaint}`);
  return { run: (token, args, keys) => runBash(command, args, `${token}\n`, folder, { ...env, ...keys }) };
}
