/**
 * Code blocks of Markdown documents, and running them as a reader would: in order, in one folder, in one shell's
 * environment. The comment on the line before a block says what becomes of it: `<!-- run -->`, `<!-- run: exit 1 -->`,
 * `<!-- file: NAME -->` (kept in the folder for the blocks after it) or `<!-- not run: reason -->`.
 */
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const LAUNCHER = join(ROOT, 'packages/server/bin/fieldseal.js');
const BLOCK_TIMEOUT_MS = 50_000;
const LANGUAGES: Readonly<Record<string, CodeBlock['language']>> = {
  ts: 'ts',
  typescript: 'ts',
  js: 'js',
  javascript: 'js',
  bash: 'bash',
  sh: 'bash',
  shell: 'bash',
};

/** What the comment before a block says of it. */
export type Mark =
  | { readonly kind: 'run'; readonly exitCode: number }
  | { readonly kind: 'file'; readonly name: string }
  | { readonly kind: 'not run'; readonly reason: string };

/** One ts, js or bash block. */
export interface CodeBlock {
  readonly language: 'ts' | 'js' | 'bash';
  readonly code: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  /** Null where the comment is missing or says none of these. */
  readonly mark: Mark | null;
}

/** What a block did. */
export interface BlockResult {
  /** -1 when it was ended by a signal, as after 50 seconds. */
  readonly exitCode: number;
  /** Standard output and error as they came. */
  readonly output: string;
}

const MARK = /^\s*<!-- (?:(?<run>run)(?:: exit (?<exit>\d+))?|file: (?<file>[\w.-]+)|not run: (?<reason>.+)) -->$/;

function markOf(line: string | undefined): Mark | null {
  const { run, exit, file, reason } = MARK.exec(line ?? '')?.groups ?? {};
  if (run) return { kind: 'run', exitCode: Number(exit ?? 0) };
  if (file) return { kind: 'file', name: file };
  return reason ? { kind: 'not run', reason } : null;
}

/** The ts, js and bash blocks of a document in order, also indented ones (in lists). */
export function codeBlocksOf(markdown: string): CodeBlock[] {
  const lines = markdown.split('\n');
  const blocks: CodeBlock[] = [];
  for (let i = 0; i < lines.length; i++) {
    const [, indent = '', fence, word = ''] = /^(\s*)(`{3,}|~{3,})\s*(\w*)/.exec(lines[i] as string) ?? [];
    if (!fence) continue;
    const start = i;
    const isEnd = (line: string) =>
      line.trim().startsWith(fence) && line.trim().replaceAll(fence[0] as string, '') === '';
    do i++;
    while (i < lines.length && !isEnd(lines[i] as string));
    const language = LANGUAGES[word.toLowerCase()];
    if (!language) continue;
    const code = lines.slice(start + 1, i).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
    blocks.push({ language, code: `${code.join('\n')}\n`, line: start + 1, mark: markOf(lines[start - 1]) });
  }
  return blocks;
}

/** The command that runs a block of each language, in bash, where `$1` is its file. */
const COMMANDS: Readonly<Record<CodeBlock['language'], string>> = {
  bash: '. "$1"',
  js: 'node "$1"',
  ts: 'tsx "$1"',
};

/** A folder in which the blocks of one document run. */
export interface CodeBlockFolder {
  run(block: CodeBlock): Promise<BlockResult>;
  /** Keeps a block under a name of its own. */
  write(name: string, code: string): Promise<void>;
}

/**
 * Makes a folder where `fieldseal`, `@fieldseal/server` and every package of the workspace resolve and `fieldseal` is a
 * command, and removes it in the end. What a bash block exports, the blocks after it see. The packages must be built.
 */
export async function withCodeBlockFolder<T>(work: (folder: CodeBlockFolder) => Promise<T>): Promise<T> {
  const base = await mkdtemp(join(tmpdir(), 'fieldseal-docs-'));
  const folder = join(base, 'work');
  const bin = join(base, 'bin');
  const exported = join(base, 'exported.sh');
  let count = 0;
  try {
    await Promise.all([mkdir(folder), mkdir(bin)]);
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'dir');
    await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
    await writeFile(join(bin, 'fieldseal'), `#!/bin/sh\nexec node "${LAUNCHER}" "$@"\n`);
    await chmod(join(bin, 'fieldseal'), 0o755);
    await writeFile(exported, '');
    const path = [bin, dirname(process.execPath), join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
    // Nothing of the caller's environment, so that a document needs what it says and no more; and no registry.
    const env = { PATH: path, HOME: base, npm_config_offline: 'true', NO_COLOR: '1' };
    return await work({
      write: (name, code) => writeFile(join(folder, name), code),
      async run({ language, code }) {
        count++;
        const file = `block-${count}.${language === 'bash' ? 'sh' : language}`;
        await writeFile(join(folder, file), code);
        const script = `set -euo pipefail; . "$2"; trap 'export -p > "$2"' EXIT; ${COMMANDS[language]}`;
        const child = spawn('bash', ['-c', script, 'bash', `./${file}`, exported], {
          cwd: folder,
          env,
          stdio: ['ignore', 'pipe', 'pipe'],
          timeout: BLOCK_TIMEOUT_MS,
        });
        let output = '';
        for (const stream of [child.stdout, child.stderr]) {
          stream.setEncoding('utf8').on('data', (text: string) => {
            output += text;
          });
        }
        return new Promise<BlockResult>((resolve, reject) => {
          child.on('error', reject);
          child.on('close', (exitCode) => resolve({ exitCode: exitCode ?? -1, output }));
        });
      },
    });
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}
