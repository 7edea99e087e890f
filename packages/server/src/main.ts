/** The composition root: the one reader of `process.env`, standard streams and signals. */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { createInterface } from 'node:readline';
import { parseEnv } from 'node:util';
import { type Environment, type EnvironmentKeys, Secret, takeEnvironmentKeys } from 'fieldseal';
import { runCli } from './cli/program.js';
import { loadConfig } from './config/load-config.js';
import { parseDatabaseUrl } from './store/database-url.js';
import type { Driver } from './usecases/dependencies.js';

/** The process's environment over that of a `.env` file. The file's variables do not reach `process.env`. */
function readEnvironment(): Environment {
  const file: Environment = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {};
  return { ...file, ...process.env };
}

/** `host:pid:random`. A process that has ended on this host holds no lease, however much of it is left. */
function thisDriver(): Driver {
  const host = hostname();
  return {
    owner: `${host}:${process.pid}:${Secret.random(8).reveal().toString('hex')}`,
    isGone(owner) {
      const [ownerHost, pid] = owner.split(':');
      if (ownerHost !== host) return false;
      try {
        process.kill(Number(pid), 0);
        return false;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'ESRCH';
      }
    },
  };
}

async function stdinLines(): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: process.stdin })) lines.push(line);
  return lines;
}

function abortOnSignals(): AbortSignal {
  const stop = new AbortController();
  // Once: a second signal ends the process the hard way, which a sweep survives as well.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

const DEFAULT_DATABASE_URL = 'sqlite:fieldseal.db';
const KEY_VARIABLES = ['ENCRYPTION_KEY', 'ENCRYPTION_KEY_PREVIOUS', 'ROOT_KEY'];

/** Takes the keys out of `env`, and out of the process's own environment, where nothing needs them any more. */
function takeKeys(env: Environment): EnvironmentKeys {
  const keys = takeEnvironmentKeys(env);
  for (const name of KEY_VARIABLES.flatMap((variable) => [variable, `${variable}_FILE`])) delete process.env[name];
  return keys;
}

function version(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Runs the command line of this process and sets its exit code. */
export async function main(): Promise<void> {
  const env = readEnvironment();
  let lines: Promise<string[]> | null = null;
  // Closing a pipe early (`| head`) is the reader's right; it ends what it wanted to read.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  process.exitCode = await runCli(process.argv.slice(2), {
    version: version(),
    env,
    terminal: {
      out: (text) => void process.stdout.write(text),
      err: (text) => void process.stderr.write(text),
      isInteractive: process.stderr.isTTY === true,
    },
    stdinLines: () => {
      lines ??= stdinLines();
      return lines;
    },
    dependencies: ({ config, notify }) => ({
      target: parseDatabaseUrl(env['DATABASE_URL'] || DEFAULT_DATABASE_URL),
      schema: env['DATABASE_SCHEMA'] || 'fieldseal',
      keys: takeKeys(env),
      loadConfig: () => loadConfig(process.cwd(), config),
      driver: thisDriver(),
      stop: abortOnSignals(),
      notify,
    }),
  });
}
