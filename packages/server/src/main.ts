/** The composition root: the one reader of `process.env`, standard streams and signals. */
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseEnv } from 'node:util';
import { type Environment, type EnvironmentKeys, FieldsealError, takeEnvironmentKeys } from 'fieldseal';
import { type CliContext, runCli } from './cli/program.js';
import { AUDIT_KEY_VARIABLES, readAuditLogName, readAuditSigner } from './config/audit-signer.js';
import { loadConfig } from './config/load-config.js';
import { readSettings } from './config/settings.js';
import { parseDatabaseUrl } from './store/database-url.js';
import { thisDriver } from './this-driver.js';
import type { Dependencies } from './usecases/dependencies.js';

/** The process's environment over that of a `.env` file. The file's variables do not reach `process.env`. */
function readEnvironment(): Environment {
  const file: Environment = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {};
  return { ...file, ...process.env };
}

async function stdinLines(): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: process.stdin })) lines.push(line);
  return lines;
}

const DEFAULT_DATABASE_URL = 'sqlite:fieldseal.db';
const KEY_VARIABLES = ['ENCRYPTION_KEY', 'ENCRYPTION_KEY_PREVIOUS', 'ROOT_KEY'];

/** Takes the keys out of `env`, and out of the process's own environment, where nothing needs them any more. */
function takeKeys(env: Environment): EnvironmentKeys {
  const keys = takeEnvironmentKeys(env);
  for (const name of KEY_VARIABLES.flatMap((variable) => [variable, `${variable}_FILE`])) delete process.env[name];
  return keys;
}

/** The key that signs the audit log's checkpoints, which nothing needs in the process's environment any more. */
function takeAuditSigner(env: Environment): ReturnType<typeof readAuditSigner> {
  const signer = readAuditSigner(env);
  for (const name of AUDIT_KEY_VARIABLES) delete process.env[name];
  return signer;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new FieldsealError('ERR_USAGE', `The file ${path} cannot be read (${code}).`);
  }
}

function version(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** What of the process a command needs, in whichever thread it runs. */
export interface CommandHost {
  /** Whether standard error is a terminal. */
  readonly isInteractive: boolean;
  /** Aborted when the process is asked to end, once the command takes signals. */
  readonly stop: AbortSignal;
  /** From now on the first SIGINT or SIGTERM asks to end; until then they end the process. */
  takeSignals(): void;
  /** The lines of standard input, to its end. */
  stdinLines(): Promise<string[]>;
}

/** Runs the command line of this process, and returns its exit code. */
export async function runCommand(host: CommandHost): Promise<number> {
  const env = readEnvironment();
  const jwt = async () => {
    const { jwtSettings } = await import('./usecases/principals.js');
    return jwtSettings({
      secret: env['AUTH_JWT_SECRET'],
      jwksUrl: env['AUTH_JWKS_URL'],
      issuer: env['AUTH_ISSUER'],
      audience: env['AUTH_AUDIENCE'],
    });
  };
  const dependencies = ({ config, notify }: Parameters<CliContext['dependencies']>[0]): Dependencies => {
    host.takeSignals();
    return {
      target: { ...parseDatabaseUrl(env['DATABASE_URL'] || DEFAULT_DATABASE_URL), writtenAs: 'operator' },
      schema: env['DATABASE_SCHEMA'] || 'fieldseal',
      keys: takeKeys(env),
      subjectRootFile: env['SUBJECT_ROOT_FILE'] || null,
      loadConfig: () => loadConfig(process.cwd(), config),
      driver: thisDriver(),
      stop: host.stop,
      notify,
    };
  };
  let lines: Promise<string[]> | null = null;
  return runCli(process.argv.slice(2), {
    version: version(),
    env,
    terminal: {
      out: (text) => void process.stdout.write(text),
      err: (text) => void process.stderr.write(text),
      isInteractive: host.isInteractive,
    },
    stdinLines: () => {
      lines ??= host.stdinLines();
      return lines;
    },
    dependencies,
    jwt,
    settings: () => readSettings(env),
    auditSigner: () => takeAuditSigner(env),
    auditLogName: () => readAuditLogName(env),
    readFile: readText,
    serve: async (config, output) => {
      // Only this command needs the HTTP stack; loading it takes others a noticeable while.
      const { serve } = await import('./serve.js');
      const { createLog, gatherLines } = await import('./telemetry/log.js');
      const settings = readSettings(env);
      const options = {
        version: version(),
        settings,
        jwt: await jwt(),
        auditSigner: takeAuditSigner(env),
        folder: process.cwd(),
        configFile: config,
        log: createLog(
          settings.logLevel,
          gatherLines((lines) => void process.stdout.write(lines)),
        ),
      };
      return serve({ ...dependencies({ config, notify: () => {} }), ...options, ...output });
    },
  });
}

/** The commands that sweep. What else has such a word among its arguments runs in a thread as well, which does no harm. */
const SWEEPS = ['encrypt', 'decrypt', 'verify', 'rotate', 'index', 'resume', 'worker'];

/** Runs the command line of this process and sets its exit code. */
export async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  const stop = new AbortController();
  // A reader that closes the pipe (`| head`) ends what it wanted to read: a sweep stops after the batch under way, and can
  // be resumed. A service goes on without its log.
  process.stdout.on('error', () => {
    if (!argv.includes('serve')) stop.abort();
  });
  const host: CommandHost = {
    isInteractive: process.stderr.isTTY === true,
    stop: stop.signal,
    takeSignals: () => {
      const signals = ['SIGINT', 'SIGTERM'] as const;
      let isAsked = false;
      // A second signal, of either kind, ends the process the hard way, which a sweep survives as well.
      const end = (signal: NodeJS.Signals) => {
        if (isAsked) {
          for (const one of signals) process.removeListener(one, end);
          process.kill(process.pid, signal);
        }
        isAsked = true;
        stop.abort();
      };
      for (const signal of signals) process.on(signal, end);
    },
    stdinLines,
  };
  if (argv.some((word) => SWEEPS.includes(word))) {
    const { runInThread } = await import('./run-in-thread.js');
    process.exitCode = await runInThread(host);
  } else {
    process.exitCode = await runCommand(host);
    // A service that has come to its end stays for nothing, such as a database that never answers. A timer without `unref`
    // would be what holds it.
    if (argv.includes('serve')) setTimeout(() => process.exit(), 1000).unref();
  }
}
