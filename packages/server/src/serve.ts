/** `fieldseal serve`: puts store, keyring, HTTP and the sweeping thread together, and takes them apart again. */
import { setTimeout as wait } from 'node:timers/promises';
import { type EnvironmentKeys, type FieldsealConfig, FieldsealError } from 'fieldseal';
import type { Settings } from './config/settings.js';
import { buildApp } from './http/app.js';
import type { DatabaseTarget } from './store/database-url.js';
import { openStore } from './store/open-store.js';
import { SweepRunner } from './sweep-runner.js';
import { Metrics } from './telemetry/metrics.js';
import { loadTracing, type Tracing } from './telemetry/tracing.js';
import type { Driver } from './usecases/dependencies.js';
import { findWork } from './usecases/find-work.js';
import { assertSeesLag } from './usecases/hold-back.js';
import { keepSchedules, type ScheduleNotice } from './usecases/keep-schedules.js';
import type { JwtSettings } from './usecases/principals.js';
import { keepSealing, type NoteSigner } from './usecases/seal-audit.js';
import { openService, type Service, type ServiceOptions } from './usecases/service.js';
import { figureSources } from './usecases/service-figures.js';
import { countUnhashedApiKeys } from './usecases/take-over-api-keys.js';

/** What requests under way get, once the process is asked to end. */
const CLOSE_MS = 10_000;

/** What comes behind them gets: a batch of a sweep, and the connections of the store. */
const GRACE_MS = 2_000;

/** Whether `work` came to its end in time. */
async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const late = new AbortController();
  try {
    return await Promise.race([
      work.then(() => true),
      wait(milliseconds, false, { signal: late.signal }).catch(() => false),
    ]);
  } finally {
    late.abort();
  }
}

/** What `serve` works with. */
export interface ServeOptions extends ServiceOptions {
  readonly version: string;
  readonly settings: Settings;
  readonly jwt: JwtSettings;
  /** Who signs checkpoints of the audit log; null: none are signed. */
  readonly auditSigner: NoteSigner | null;
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

/** What an operator should know of keys without a hash; null: nothing. */
function adviceOnTakingOver(unhashed: number, onUse: boolean): string | null {
  const left = `${unhashed} API key(s) have no hash`;
  if (!onUse) {
    if (unhashed === 0) return null;
    return `${left} and are not valid; the Python original's become so by \`fieldseal api-keys take-over\``;
  }
  return unhashed === 0
    ? 'every API key has its hash; turn API_KEYS_TAKE_OVER_ON_USE off, with which whoever can write to the database may make keys'
    : `${left}; the Python original's become valid when they are used. Until API_KEYS_TAKE_OVER_ON_USE is off again, whoever can write to the database may make keys`;
}

/** The service with a span around each transaction and around each opening of the keyring. */
function traced(service: Service, { around }: Tracing): Service {
  const { store, openKeyring } = service;
  return {
    ...service,
    store: {
      ...store,
      transaction: (work) => around('fieldseal transaction', {}, () => store.transaction(work)),
    },
    openKeyring: (tx) => around('fieldseal open keyring', {}, () => openKeyring(tx)),
  };
}

/**
 * Serves until `stop` is aborted, then finishes the requests under way.
 * @throws FieldsealError of the configuration, the store and the keyring; `ERR_ADDRESS_IN_USE`; `ERR_USAGE` when standbys are to
 * be waited for, and cannot be seen
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { settings, schema, subjectRootFile, keys, stop, log } = options;
  const target: DatabaseTarget = { ...options.target, writtenAs: 'system' };
  const { maxReplicationLagSeconds } = settings;
  // Without a declaration the service has its own columns to sweep.
  const config = await options.loadConfig();
  if (maxReplicationLagSeconds !== null)
    await assertSeesLag(options, maxReplicationLagSeconds, 'MAX_REPLICATION_LAG_SECONDS');
  const tracing = await loadTracing(options.version);
  const store = await openStore(target, { schema, offEventLoop: true });
  try {
    const { service: opened, isNew } = await openService(store, keys, settings, options);
    const service = traced(opened, tracing);
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
      {
        target,
        schema,
        subjectRootFile,
        keys: bytes,
        folder: options.folder,
        config: options.configFile,
        maxReplicationLagSeconds,
      },
      (isAvoided) => findWork(store, options.driver, isAvoided),
      log,
      tracing,
    );
    const rotationKeys = config?.keys ?? 'stored';
    const app = await buildApp({
      version: options.version,
      service,
      jwt: options.jwt,
      driver: options.driver,
      rotationKeys,
      trustedProxies: settings.trustedProxies,
      telemetry: { metrics: new Metrics(figureSources(store)), tracing },
      metrics: { enabled: settings.metricsEnabled, token: settings.metricsToken },
      hasDocs: settings.docsEnabled,
      isDraining: () => stop.aborted,
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
    let sealing = Promise.resolve();
    // Until the last request is answered: what is written while the service drains is sealed like everything else.
    const stopSealing = new AbortController();
    try {
      await service.verification.start();
      const address = await app.listen({ host: settings.host, port: settings.port }).catch((error: unknown) => {
        throw listenError(error, settings);
      });
      options.onListening(address);
      const advice = adviceOnTakingOver(await countUnhashedApiKeys(service), settings.apiKeysTakeOverOnUse);
      if (advice !== null) options.onAdvice(advice);
      // What the death of a process cut short goes on, and what others drive goes faster.
      runner.start();
      const tell = (notice: ScheduleNotice) => log({ level: 'warn', event: 'schedule_not_started', ...notice });
      keeping = keepSchedules({ keys, rotationKeys: async () => rotationKeys, tell }, store, stop);
      const tellSealing = (failure: { readonly code: string; readonly message: string }) =>
        log({ level: 'error', event: 'audit_not_sealed', ...failure });
      sealing = keepSealing(store, options.auditSigner, stopSealing.signal, tellSealing);
      await stopped;
      log({ level: 'info', event: 'shutdown_started' });
      // Whoever spreads the requests learns by /readyz that none should come here, before none is taken any more.
      void runner.stop();
      if (settings.drainSeconds > 0) await wait(settings.drainSeconds * 1000);
    } finally {
      // Whoever holds a connection open without finishing a request does not hold up the end, nor does a lock in the database.
      const deadline = setTimeout(() => app.server.closeAllConnections(), CLOSE_MS);
      const closing = Promise.all([runner.stop(), app.close(), keeping]).then(async () => {
        // What was counted in memory is written, now that nobody counts any more.
        await service.verification.stop();
        await service.repeats.close().catch(() => log({ level: 'error', event: 'repeated_rows_lost' }));
        stopSealing.abort();
        await sealing;
      });
      const isClosed = await within(CLOSE_MS + GRACE_MS, closing);
      clearTimeout(deadline);
      stopSealing.abort();
      if (!isClosed) log({ level: 'warn', event: 'shutdown_cut_short' });
    }
  } finally {
    await within(GRACE_MS, store.close());
  }
}
