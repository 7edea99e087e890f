/** The HTTP application in the test's own process, on a real SQLite file or PostgreSQL, and requests injected into it. */
import Database from 'better-sqlite3';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { Fernet, takeEnvironmentKeys } from 'fieldseal';
import { afterAll, beforeAll, describe } from 'vitest';
import { API_PREFIX, buildApp, type HttpDependencies } from '../../src/http/app.ts';
import type { DatabaseTarget } from '../../src/store/database-url.ts';
import { openStore } from '../../src/store/open-store.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { NO_TRACING } from '../../src/telemetry/tracing.ts';
import { jwtSettings, signJwt } from '../../src/usecases/principals.ts';
import { openService, type Service } from '../../src/usecases/service.ts';
import { figureSources } from '../../src/usecases/service-figures.ts';
import { withPostgresSchema } from '../postgres.ts';
import { withSqliteFile } from '../store/sqlite-file.ts';

export { API_PREFIX };

/** An answer. */
export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests compare bodies with what they expect
  readonly body: any;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export interface CallOptions {
  readonly token?: string | undefined;
  /** An object is sent as JSON, a text as it is, labelled as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** 127.0.0.1 when left out. */
  readonly from?: string;
}

/** What a token says besides its subject. */
export interface Caller {
  readonly isAdmin?: boolean;
  readonly scopes?: readonly string[];
}

/** An application that is ready for requests. */
export interface AppUnderTest {
  readonly app: FastifyInstance;
  readonly service: Service;
  /** The lines of its log. */
  readonly log: Readonly<Record<string, unknown>>[];
  /** The ids of rotations that it would have driven. Nothing is swept. */
  readonly rotations: number[];
  token(subject: string, caller?: Caller): Promise<string>;
  /** An API key of `subject`, made by an admin. */
  apiKey(subject: string, scopes: readonly string[]): Promise<string>;
  /** A new key of the token's subject, as it is answered; `more` goes into the request. */
  makeKey(token: string, more?: object): Promise<{ readonly id: number; readonly key: string }>;
  /** A request; `path` without the API's prefix. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** The same with the whole path. */
  request(method: string, url: string, options?: CallOptions): Promise<Answer>;
  /** A condition in SQL whose evaluation fails. */
  readonly alwaysFails: string;
  /** Runs SQL; `{t}` before a table's name stands for its schema. */
  sql(text: string): Promise<void>;
}

/** What of the application a test changes. */
export type AppOptions = Partial<Omit<HttpDependencies, 'service'>> & {
  /** Adds routes of the test's own. */
  readonly addRoutes?: (app: FastifyInstance) => void;
};

/** Where an application runs. */
export type AppPlace = <T>(options: AppOptions, work: (app: AppUnderTest) => Promise<T>) => Promise<T>;

async function withStoreApp<T>(
  target: DatabaseTarget,
  schema: string,
  database: Pick<AppUnderTest, 'sql' | 'alwaysFails'>,
  options: AppOptions,
  work: (app: AppUnderTest) => Promise<T>,
): Promise<T> {
  const store = await openStore(target, { schema });
  try {
    const { service } = await openService(store, takeEnvironmentKeys({ ENCRYPTION_KEY: Fernet.generateKey() }));
    const secret = Fernet.generateKey();
    const jwt = jwtSettings({ secret, jwksUrl: undefined, issuer: undefined, audience: undefined });
    const log: Readonly<Record<string, unknown>>[] = [];
    const rotations: number[] = [];
    const app = await buildApp({
      version: '0.0.0',
      service,
      jwt,
      driver: { owner: 'test', isGone: () => false },
      rotationKeys: 'stored',
      trustedProxies: [],
      telemetry: { metrics: new Metrics(figureSources(store)), tracing: NO_TRACING },
      metrics: { enabled: true, token: null },
      hasDocs: true,
      isDraining: () => false,
      onRotation: (id) => void rotations.push(id),
      log: (line) => void log.push(line),
      ...options,
    });
    const token: AppUnderTest['token'] = (subject, { isAdmin = false, scopes = [] } = {}) =>
      signJwt(jwt, { subject, isAdmin, scopes, ttlSeconds: 3600 }, Math.floor(Date.now() / 1000));
    const request: AppUnderTest['request'] = async (method, url, { token: bearer, body, headers, from } = {}) => {
      const answer = await app.inject({
        method: method as NonNullable<InjectOptions['method']>,
        url,
        headers: {
          ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
        ...(from !== undefined && { remoteAddress: from }),
      });
      const isJson = /^application\/(problem\+)?json/.test(String(answer.headers['content-type']));
      return {
        status: answer.statusCode,
        text: answer.payload,
        body: isJson && answer.payload !== '' ? JSON.parse(answer.payload) : null,
        headers: answer.headers as Answer['headers'],
      };
    };
    const call: AppUnderTest['call'] = (method, path, given) => request(method, `${API_PREFIX}${path}`, given);
    const apiKey: AppUnderTest['apiKey'] = async (subject, scopes) => {
      // Made for the admin, and then the subject's: only an admin grants the service's own scopes.
      const admin = await token(subject, { isAdmin: true });
      const made = await call('POST', '/keys', { token: admin, body: { name: 'k', scopes } });
      return made.body.key;
    };
    const makeKey: AppUnderTest['makeKey'] = async (bearer, more = {}) =>
      (await call('POST', '/keys', { token: bearer, body: { name: 'k', ...more } })).body;
    try {
      options.addRoutes?.(app);
      return await work({ app, service, log, rotations, token, apiKey, makeKey, call, request, ...database });
    } finally {
      await app.close();
    }
  } finally {
    await store.close();
  }
}

export const appOnSqlite: AppPlace = (options, work) =>
  withSqliteFile((file) => {
    const sql = async (text: string) => {
      const database = new Database(file);
      database.exec(text.replaceAll('{t}', ''));
      database.close();
    };
    const alwaysFails = 'abs(-9223372036854775807 - 1) = 1';
    return withStoreApp({ dialect: 'sqlite', file }, 'fieldseal', { sql, alwaysFails }, options, work);
  });

export const appOnPostgres: AppPlace = (options, work) =>
  withPostgresSchema(({ url, schema, client }) => {
    const sql = async (text: string) => void (await client.query(text.replaceAll('{t}', `"${schema}".`)));
    return withStoreApp(
      { dialect: 'postgres', connectionString: url },
      schema,
      { sql, alwaysFails: '1 = 1 / 0' },
      options,
      work,
    );
  });

/** So many requests a subject has in `onBothDatabases`. */
export const TEST_REQUESTS_PER_MINUTE = 20;

/** Subjects of a test's own: the applications of `onBothDatabases` are shared by the tests of a file. */
let subjects = 0;
export function freshSubject(): string {
  subjects += 1;
  return `user-${subjects}`;
}

/**
 * Tests on both databases, with one application for all of them; each test takes subjects of its own.
 *
 * @example
 * onBothDatabases((app) => {
 *   test('200: …', async () => { expect((await app().call('GET', '/keys', { token })).status).toBe(200); });
 * });
 */
export function onBothDatabases(tests: (app: () => AppUnderTest) => void, options: AppOptions = {}): void {
  describe.each([
    ['SQLite', appOnSqlite],
    ['PostgreSQL', appOnPostgres],
  ] as const)('on %s', (_name, place) => {
    let app: AppUnderTest | null = null;
    let finish = () => {};
    let done: Promise<void> = Promise.resolve();
    beforeAll(async () => {
      const limits = { requestsPerMinute: TEST_REQUESTS_PER_MINUTE, refusalsPerMinute: 100 };
      await new Promise<void>((resolve, reject) => {
        done = place({ limits, ...options }, async (opened) => {
          app = opened;
          resolve();
          await new Promise<void>((end) => {
            finish = end;
          });
        });
        done.catch(reject);
      });
    });
    afterAll(async () => {
      finish();
      await done;
    });
    tests(() => {
      if (!app) throw new Error('The application is there in tests only.');
      return app;
    });
  });
}

/** On SQLite, with the token of an admin. */
export function withApp<T>(
  options: AppOptions,
  work: (running: Pick<AppUnderTest, 'app' | 'log'> & { readonly token: string }) => Promise<T>,
): Promise<T> {
  return appOnSqlite(options, async ({ app, log, token }) =>
    work({ app, log, token: await token('root', { isAdmin: true }) }),
  );
}
