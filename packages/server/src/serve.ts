/** `fieldseal serve`: puts store, keyring, HTTP and the sweeping thread together, and takes them apart again. */
import { type EnvironmentKeys, type FieldsealConfig, FieldsealError } from 'fieldseal';
import type { Settings } from './config/settings.js';
import { buildApp } from './http/app.js';
import type { DatabaseTarget } from './store/database-url.js';
import { openStore } from './store/open-store.js';
import { SweepRunner } from './sweep-runner.js';
import type { Driver } from './usecases/dependencies.js';
import { findWork } from './usecases/find-work.js';
import { keepSchedules, type ScheduleNotice } from './usecases/keep-schedules.js';
import type { JwtSettings } from './usecases/principals.js';
import { openService } from './usecases/service.js';
import { countUnhashedApiKeys } from './usecases/take-over-api-keys.js';

/** What requests under way get, once the process is asked to end. */
const CLOSE_MS = 10_000;

/** What `serve` works with. */
export interface ServeOptions {
  readonly version: string;
  readonly settings: Settings;
  readonly jwt: JwtSettings;
  readonly target: DatabaseTarget;
  readonly schema: string;
  readonly subjectRootFile: string | null;
  readonly keys: EnvironmentKeys;
  readonly driver: Driver;
  readonly folder: string;
  readonly configFile: string | null;
  loadConfig(): Promise<FieldsealConfig | null>;
  readonly stop: AbortSignal;
  /** One line of the log, as JSON. */
  log(line: Readonly<Record<string, unknown>>): void;
  /** Called once it listens, with the address. */
  onListening(address: string): void;
  /** Something an operator should know. */
  onAdvice(text: string): void;
}

function listenError(error: unknown, { host, port }: Settings): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    return new FieldsealError(
      'ERR_ADDRESS_IN_USE',
      `Another process listens on ${host}:${port}; set PORT to another one.`,
    );
  }
  const isAddress = code === 'EADDRNOTAVAIL' || code === 'EACCES' || code === 'ENOTFOUND';
  return isAddress ? new FieldsealError('ERR_CONFIG_INVALID', `HOST and PORT cannot be listened on (${code}).`) : error;
}

/**
 * Serves until `stop` is aborted, then finishes the requests under way.
 * @throws FieldsealError of the configuration, the store and the keyring; `ERR_ADDRESS_IN_USE`
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { settings, target, schema, subjectRootFile, keys, stop, log } = options;
  // Without a declaration the service has its own columns to sweep.
  const config = await options.loadConfig();
  const store = await openStore(target, { schema, offEventLoop: true });
  try {
    const { service, isNew } = await openService(store, keys, settings);
    if (isNew && !keys.root) {
      options.onAdvice(
        'the keyring is wrapped under ENCRYPTION_KEY itself; a ROOT_KEY of its own, set before the first start, is safer',
      );
    }
    const bytes = {
      current: keys.current?.reveal() ?? null,
      previous: keys.previous.map((key) => key.reveal()),
      root: keys.root?.reveal() ?? null,
    };
    const runner = new SweepRunner(
      { target, schema, subjectRootFile, keys: bytes, folder: options.folder, config: options.configFile },
      (isAvoided) => findWork(store, options.driver, isAvoided),
      log,
    );
    const rotationKeys = config?.keys ?? 'stored';
    const app = await buildApp({
      version: options.version,
      service,
      jwt: options.jwt,
      driver: options.driver,
      rotationKeys,
      trustedProxies: settings.trustedProxies,
      corsOrigins: settings.corsOrigins,
      limits: { requestsPerMinute: settings.rateLimitPerMinute },
      onRotation: (id) => runner.wake(id),
      log,
    });
    const stopped = new Promise<void>((resolve) => {
      if (stop.aborted) resolve();
      stop.addEventListener('abort', () => resolve(), { once: true });
    });
    let keeping = Promise.resolve();
    try {
      const address = await app.listen({ host: settings.host, port: settings.port }).catch((error: unknown) => {
        throw listenError(error, settings);
      });
      options.onListening(address);
      const unhashed = await countUnhashedApiKeys(service);
      if (unhashed > 0) {
        options.onAdvice(
          `${unhashed} API key(s) have no hash and are not valid; the Python original's become so by \`fieldseal api-keys take-over\``,
        );
      }
      // What the death of a process cut short goes on, and what others drive goes faster.
      runner.start();
      const tell = (notice: ScheduleNotice) => log({ level: 'warn', event: 'schedule_not_started', ...notice });
      keeping = keepSchedules({ keys, rotationKeys: async () => rotationKeys, tell }, store, stop);
      await stopped;
    } finally {
      // Whoever holds a connection open without finishing a request does not hold up the end.
      const deadline = setTimeout(() => app.server.closeAllConnections(), CLOSE_MS);
      await Promise.all([runner.stop(), app.close(), keeping]);
      clearTimeout(deadline);
    }
  } finally {
    await store.close();
  }
}
