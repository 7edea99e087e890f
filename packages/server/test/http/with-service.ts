/** The real `fieldseal serve` in a process of its own, on SQLite or PostgreSQL, and requests to it. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Fernet, Secret, takeEnvironmentKeys } from 'fieldseal';
import { parseDatabaseUrl } from '../../src/store/database-url.ts';
import { openStore } from '../../src/store/open-store.ts';
import { openService, type Service } from '../../src/usecases/service.ts';
import { withPostgresSchema } from '../postgres.ts';
import { type Project, type ProjectOptions, withProject } from '../with-project.ts';

/** An answer. */
export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests compare bodies with what they expect
  readonly body: any;
  readonly headers: Headers;
}

/** A running service. */
export interface RunningService {
  readonly url: string;
  readonly project: Project;
  /** Where the project's commands find the database. */
  readonly env: Readonly<Record<string, string>>;
  /** A token made by `fieldseal jwt`. */
  token(user: string, ...flags: string[]): Promise<string>;
  request(
    method: string,
    path: string,
    options?: { token?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer>;
  /** Every secret that this service was given or gave: its keys, tokens, API keys; and what a test adds by `recordSecret`. */
  secrets(): readonly string[];
  recordSecret<T extends string>(secret: T): T;
  /** Everything that the service printed so far. */
  output(): string;
  /** Ends the process by a signal and waits for it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  /** Starts it again, after `end`. */
  restart(): Promise<void>;
}

/** Where a suite runs. */
export type Place = <T>(
  options: ProjectOptions,
  work: (project: Project, env: Record<string, string>) => Promise<T>,
) => Promise<T>;

export const onSqlite: Place = (options, work) =>
  withProject({ sql: '', ...options }, (project) => work(project, { DATABASE_URL: 'sqlite:app.db' }));

export const onPostgres: Place = (options, work) =>
  withPostgresSchema(({ url, schema }) =>
    withProject({ ...options, sql: null }, (project) => work(project, { DATABASE_URL: url, DATABASE_SCHEMA: schema })),
  );

async function listening(child: ChildProcess, onText: (text: string) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const read = (chunk: Buffer) => {
      text += chunk;
      onText(String(chunk));
      const url = /listens on (http:\S+),/.exec(text)?.[1];
      if (url) resolve(url);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => reject(new Error(`serve ended with exit code ${code}: ${text}`)));
  });
}

/** Runs `work` with a service that is ended afterwards. */
export async function withService<T>(
  place: Place,
  options: ProjectOptions & { readonly serveEnv?: Readonly<Record<string, string | undefined>> },
  work: (service: RunningService) => Promise<T>,
): Promise<T> {
  return place({ config: null, ...options }, async (project, databaseEnv) => {
    const env = { ...databaseEnv, AUTH_JWT_SECRET: project.keepSecret(Fernet.generateKey()) };
    const secrets = new Set([project.key, env.AUTH_JWT_SECRET]);
    let output = '';
    let child: ChildProcess;
    const start = async () => {
      child = project.spawn('serve', { env: { ...env, PORT: '0', ...options.serveEnv } });
      return listening(child, (text) => {
        output += text;
      });
    };
    let url = await start();
    const service: RunningService = {
      get url() {
        return url;
      },
      project,
      env,
      async token(user, ...flags) {
        const { stdout } = await project.fieldseal('jwt', '--user', user, ...flags, { env });
        secrets.add(stdout.trim());
        return stdout.trim();
      },
      async request(method, path, { token, body, headers } = {}) {
        const response = await fetch(`${url}${path}`, {
          method,
          headers: {
            ...(token !== undefined && { authorization: `Bearer ${token}` }),
            ...(body !== undefined && { 'content-type': 'application/json' }),
            ...headers,
          },
          ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        });
        const text = await response.text();
        const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
        const answer = text === '' ? null : isJson ? JSON.parse(text) : text;
        if (typeof answer?.key === 'string') secrets.add(answer.key);
        return { status: response.status, body: answer, headers: response.headers };
      },
      secrets: () => [...secrets],
      recordSecret(secret) {
        secrets.add(secret);
        return secret;
      },
      output: () => output,
      async end(signal) {
        const ended = once(child, 'exit');
        child.kill(signal);
        const [code] = await ended;
        return code;
      },
      async restart() {
        url = await start();
      },
    };
    return work(service);
  });
}

/** The same database opened in the test's process, for what no route does. */
export async function withSameDatabase<T>(
  { project, env }: RunningService,
  work: (service: Service) => Promise<T>,
): Promise<T> {
  const url = env['DATABASE_URL'] === 'sqlite:app.db' ? `sqlite:${project.file}` : (env['DATABASE_URL'] as string);
  const store = await openStore(parseDatabaseUrl(url), { schema: env['DATABASE_SCHEMA'] ?? 'fieldseal' });
  try {
    const { service } = await openService(store, takeEnvironmentKeys({ ENCRYPTION_KEY: project.key }));
    return await work(service);
  } finally {
    await store.close();
  }
}

/** A subject that no other test uses. */
export function freshUser(): string {
  return `user-${Secret.random(4).reveal().toString('hex')}`;
}
