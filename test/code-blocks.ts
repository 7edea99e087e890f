/**
 * Code blocks of Markdown documents, and running them as a reader would: in order, in one folder, in one shell's
 * environment. The comment on the line before a block says what becomes of it: `<!-- run -->`, `<!-- run: exit 1 -->`,
 * `<!-- file: NAME -->` (kept in the folder for the blocks after it), `<!-- background -->` (a server on port 8000, which
 * runs until the document ends) or `<!-- not run: reason -->`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
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
  | { readonly kind: 'background' }
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

const MARK =
  /^\s*<!-- (?:(?<run>run)(?:: exit (?<exit>\d+))?|file: (?<file>[\w.-]+)|(?<background>background)|not run: (?<reason>.+)) -->$/;

function markOf(line: string | undefined): Mark | null {
  const { run, exit, file, background, reason } = MARK.exec(line ?? '')?.groups ?? {};
  if (run) return { kind: 'run', exitCode: Number(exit ?? 0) };
  if (file) return { kind: 'file', name: file };
  if (background) return { kind: 'background' };
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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Returns once something answers at `url`, whatever it answers. */
async function answering(url: string, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended with exit code ${child.exitCode}`);
    const isAnswering = await fetch(url).then(
      () => true,
      () => false,
    );
    if (isAnswering) return;
    await setTimeout(50);
  }
}

/** A folder in which the blocks of one document run. */
export interface CodeBlockFolder {
  run(block: CodeBlock): Promise<BlockResult>;
  /** Starts a server in the background, and returns once it answers. */
  start(block: CodeBlock): Promise<void>;
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
  // Port 8000 of the documents may be somebody's; each document gets another in its place.
  const port = await freePort();
  const servers: ChildProcess[] = [];
  let count = 0;
  const write = async (language: CodeBlock['language'], code: string) => {
    const file = `block-${++count}.${language === 'bash' ? 'sh' : language}`;
    await writeFile(join(folder, file), code.replaceAll('localhost:8000', `127.0.0.1:${port}`));
    return `./${file}`;
  };
  try {
    await Promise.all([mkdir(folder), mkdir(bin)]);
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'dir');
    await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
    await writeFile(join(bin, 'fieldseal'), `#!/bin/sh\nexec node "${LAUNCHER}" "$@"\n`);
    await chmod(join(bin, 'fieldseal'), 0o755);
    await writeFile(exported, '');
    const path = [bin, dirname(process.execPath), join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
    // Nothing of the caller's environment, so that a document needs what it says and no more; and no registry.
    const env = { PATH: path, HOME: base, npm_config_offline: 'true', NO_COLOR: '1', PORT: String(port) };
    return await work({
      write: (name, code) => writeFile(join(folder, name), code),
      async start({ language, code }) {
        const file = await write(language, code);
        const script = `. "$2"; ${COMMANDS[language]}`;
        // A group of its own, so that the whole of it can be ended.
        const child = spawn('bash', ['-c', script, 'bash', file, exported], {
          cwd: folder,
          env,
          stdio: 'ignore',
          detached: true,
        });
        servers.push(child);
        await answering(`http://127.0.0.1:${port}/`, child);
      },
      async run({ language, code }) {
        const file = await write(language, code);
        const script = `set -euo pipefail; . "$2"; trap 'export -p > "$2"' EXIT; ${COMMANDS[language]}`;
        const child = spawn('bash', ['-c', script, 'bash', file, exported], {
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
    for (const { pid, exitCode } of servers) if (pid !== undefined && exitCode === null) process.kill(-pid, 'SIGKILL');
    await rm(base, { recursive: true, force: true });
  }
}
