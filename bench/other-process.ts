/**
 * Contestants that are programs of their own: pyca/cryptography, and C on OpenSSL. Each is left out where it cannot
 * run.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Contestant, Verb } from './contestant.ts';
import { OPENSSL, PYCA } from './run.ts';

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** A program that answers each line with one; its first line is its version. */
class OtherProcess implements Contestant {
  readonly name: string;
  readonly version: string;
  readonly speaksFernet = true;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(
    name: string,
    version: string,
    process: ChildProcessWithoutNullStreams,
    lines: AsyncIterator<string>,
  ) {
    this.name = name;
    this.version = version;
    this.#process = process;
    this.#lines = lines;
  }

  static async start(name: string, command: string, args: readonly string[]): Promise<OtherProcess> {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'] as never,
    }) as ChildProcessWithoutNullStreams;
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done) throw new Error(`${command} ended`);
    return new OtherProcess(name, first.value, child, lines);
  }

  async measure(verb: Verb, bytes: number, values: number): Promise<number> {
    return Number(await this.#ask(`${verb} ${bytes} ${values}`));
  }

  seal(text: string): Promise<string> {
    return this.#ask(`seal ${text}`);
  }

  open(token: string): Promise<string> {
    return this.#ask(`open ${token}`);
  }

  close(): void {
    this.#process.stdin.end();
  }

  async #ask(line: string): Promise<string> {
    this.#process.stdin.write(`${line}\n`);
    const answer = await this.#lines.next();
    if (answer.done) throw new Error(`${this.name} ended`);
    return answer.value;
  }
}

/** pyca/cryptography under the local python3; null where there is none. */
export async function pyca(key: string): Promise<Contestant | null> {
  const python = spawnSync('python3', ['-c', 'import cryptography.fernet']);
  return python.status === 0 ? OtherProcess.start(PYCA, 'python3', [file('pyca.py'), key]) : null;
}

/**
 * The C program, compiled into a folder that is removed again; null where there is no compiler or no OpenSSL to compile
 * with.
 */
export async function openssl(key: string): Promise<Contestant | null> {
  const folder = mkdtempSync(join(tmpdir(), 'fieldseal-bench-'));
  try {
    const program = join(folder, 'openssl');
    const compiler = spawnSync('cc', ['-O2', '-o', program, file('openssl.c'), '-lcrypto']);
    return compiler.status === 0 ? await OtherProcess.start(OPENSSL, program, [key]) : null;
  } finally {
    // A program that runs keeps its file.
    rmSync(folder, { recursive: true });
  }
}
