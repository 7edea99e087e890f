/** A project folder as a user has one, with a SQLite database, a declaration and a key, and the real command line in it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { Fernet } from 'fieldseal';
import { expect } from 'vitest';

const LAUNCHER = fileURLToPath(new URL('../bin/fieldseal.js', import.meta.url));
const NODE_MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url));

/** What a test gives. */
export interface ProjectOptions {
  /** Makes `app.db`; null: there is no such file. */
  readonly sql?: string | null;
  /** The text of `fieldseal.config.mjs`; null: there is no such file. */
  readonly config?: string | null;
}

/** How one command runs. */
export interface CommandOptions {
  /** Over the project's own environment; `undefined` takes a variable out of it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: string;
  /** Another user and group to run as. */
  readonly uid?: number;
}

/** A line of `--json` output. */
// biome-ignore lint/suspicious/noExplicitAny: tests compare these lines with what they expect
export type JsonLine = any;

/** What a command came to. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** With `--json`: every line of standard output, parsed; a line that is not JSON fails the test. Else empty. */
  readonly lines: readonly JsonLine[];
  /** With `--json`: the `result` or `error` line. */
  readonly last: JsonLine;
}

type CommandLine = string[] | [...string[], CommandOptions];

/** One project. */
export interface Project {
  readonly folder: string;
  /** The path of `app.db`. */
  readonly file: string;
  /** The project's `ENCRYPTION_KEY`. */
  readonly key: string;
  /** Runs a command to its end. Fails when its output holds the key or anything given to `keepSecret`. */
  fieldseal(...args: CommandLine): Promise<CommandResult>;
  /** Starts a command and returns its process, for tests that stop it. It is killed when the test ends. */
  spawn(...args: CommandLine): ChildProcess;
  /** Opens `app.db` for `work` alone. */
  db<T>(work: (db: Database.Database) => T): T;
  /** Texts that no output of any command may hold from now on; returns the first of them. */
  keepSecret(...texts: string[]): string;
  /** A hash of `app.db` and of each journal beside it: equal when nothing at all was changed. */
  databaseFiles(): Promise<Record<string, string>>;
  /** Writes a file into the folder. */
  write(name: string, content: string | Buffer): Promise<string>;
}

/** The text of a configuration; `tables` is JavaScript, `users: { primaryKey: 'id', columns: … }`. */
export function configText(tables: string, keys: 'stored' | 'env' = 'stored'): string {
  return `import { defineConfig, defineModel, encryptedString } from 'fieldseal';
export default defineConfig({ keys: '${keys}', model: defineModel({ ${tables} }) });
`;
}

/** Three people with plaintext telephone numbers, for tests to which the data does not matter. */
export const USERS_SQL = `
  CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, phone TEXT);
  INSERT INTO users (id, name, phone) VALUES (1, 'Ada', '+1-555-0101'), (2, 'Brook', '+1-555-0102'), (3, 'Chidi', NULL);
`;
export const USERS_CONFIG = configText(
  "users: { primaryKey: 'id', columns: { phone: encryptedString({ alsoReads: ['plaintext'] }) } }",
);

function split(args: CommandLine): { argv: string[]; options: CommandOptions } {
  const mixed: readonly (string | CommandOptions)[] = args;
  const argv = mixed.filter((arg) => typeof arg === 'string');
  const options = mixed.find((arg) => typeof arg === 'object');
  return { argv, options: options ?? {} };
}

function parseLines(stdout: string): JsonLine[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Runs `work` in a new project, and deletes it afterwards. */
export function withProject<T>(work: (project: Project) => Promise<T>): Promise<T>;
export function withProject<T>(options: ProjectOptions, work: (project: Project) => Promise<T>): Promise<T>;
export async function withProject<T>(
  ...args: [(project: Project) => Promise<T>] | [ProjectOptions, (project: Project) => Promise<T>]
): Promise<T> {
  const [options, work] = args.length === 1 ? [{}, args[0]] : args;
  const folder = await mkdtemp(join(tmpdir(), 'fieldseal-project-'));
  const file = join(folder, 'app.db');
  const key = Fernet.generateKey();
  const secrets = [key];
  const children: ChildProcess[] = [];

  const project: Project = {
    folder,
    file,
    key,
    spawn(...commandLine) {
      const { argv, options: command } = split(commandLine);
      const env: Record<string, string | undefined> = {
        PATH: process.env['PATH'],
        ENCRYPTION_KEY: key,
        DATABASE_URL: 'sqlite:app.db',
        ...command.env,
      };
      const identity = command.uid === undefined ? {} : { uid: command.uid, gid: command.uid };
      const child = spawn(process.execPath, [LAUNCHER, ...argv], { cwd: folder, env, ...identity });
      children.push(child);
      child.stdin.on('error', () => {}); // A command that reads no input may be gone before it is written.
      child.stdin.end(command.stdin ?? '');
      return child;
    },
    async fieldseal(...commandLine) {
      const child = project.spawn(...commandLine);
      let stdout = '';
      let stderr = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
      });
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      const exitCode = await new Promise<number | null>((resolve, reject) => {
        child.once('error', reject).once('close', resolve);
      });
      for (const secret of secrets) expect(stdout + stderr).not.toContain(secret);
      const lines = split(commandLine).argv.includes('--json') ? parseLines(stdout) : [];
      return { exitCode, stdout, stderr, lines, last: lines.at(-1) };
    },
    db(use) {
      const db = new Database(file);
      try {
        return use(db);
      } finally {
        db.close();
      }
    },
    keepSecret(...texts) {
      secrets.push(...texts);
      return texts[0] as string;
    },
    async databaseFiles() {
      const names = (await readdir(folder)).filter((name) => name.startsWith('app.db')).sort();
      const hashes = names.map(async (name) => {
        const content = await readFile(join(folder, name));
        return [name, createHash('sha256').update(content).digest('hex')] as const;
      });
      return Object.fromEntries(await Promise.all(hashes));
    },
    async write(name, content) {
      await writeFile(join(folder, name), content);
      return join(folder, name);
    },
  };

  try {
    await symlink(NODE_MODULES, join(folder, 'node_modules'));
    const { sql = USERS_SQL, config = USERS_CONFIG } = options;
    if (sql !== null) project.db((db) => db.exec(sql));
    if (config !== null) await project.write('fieldseal.config.mjs', config);
    return await work(project);
  } finally {
    for (const child of children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  }
}
