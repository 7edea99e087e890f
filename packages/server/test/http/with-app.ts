/** The HTTP application in the test's own process, on a SQLite file, without a port. */
import type { FastifyInstance } from 'fastify';
import { Fernet, takeEnvironmentKeys } from 'fieldseal';
import { buildApp, type HttpDependencies } from '../../src/http/app.js';
import { openStore } from '../../src/store/open-store.js';
import { Metrics } from '../../src/telemetry/metrics.js';
import { NO_TRACING } from '../../src/telemetry/tracing.js';
import { jwtSettings, signJwt } from '../../src/usecases/principals.js';
import { openService } from '../../src/usecases/service.js';
import { figureSources } from '../../src/usecases/service-figures.js';
import { withSqliteFile } from '../store/sqlite-file.ts';

/** What a test has in its hands. */
export interface RunningApp {
  readonly app: FastifyInstance;
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** A token of an admin. */
  readonly token: string;
}

/** @param changes in the place of what the test's service has. A function gets what that is. */
export async function withApp<T>(
  changes: Partial<HttpDependencies>,
  work: (running: RunningApp) => Promise<T>,
): Promise<T> {
  return withSqliteFile(async (file) => {
    const store = await openStore({ dialect: 'sqlite', file });
    const { service } = await openService(store, takeEnvironmentKeys({ ENCRYPTION_KEY: Fernet.generateKey() }));
    const jwt = jwtSettings(Fernet.generateKey(), undefined, undefined);
    const lines: Readonly<Record<string, unknown>>[] = [];
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
      onRotation: () => {},
      log: (line) => void lines.push(line),
      ...changes,
    });
    const about = { subject: 'root', isAdmin: true, scopes: [], ttlSeconds: 600 };
    try {
      return await work({ app, lines, token: await signJwt(jwt, about, Math.floor(Date.now() / 1000)) });
    } finally {
      await app.close();
      await store.close();
    }
  });
}
