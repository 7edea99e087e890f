/** The service's settings out of environment variables, each checked, each mistake named by its variable. */
import { isIP } from 'node:net';
import { type Environment, FieldsealError } from 'fieldseal';

/** What `serve` and the commands beside it are told. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly apiKeyPrefix: string;
  readonly apiKeyExpiryDays: number;
  readonly apiKeyRecoverable: boolean;
  /** Whether keys of the Python original gain their hash when they are used, without an operator. */
  readonly apiKeysTakeOverOnUse: boolean;
  readonly trustedProxies: readonly string[];
  /** Requests of one caller in a minute; 0: as many as it likes. */
  readonly rateLimitPerMinute: number;
  /** Origins whose pages may call the service. */
  readonly corsOrigins: readonly string[];
  readonly backupEncrypted: boolean;
  readonly logLevel: LogLevel;
  readonly metricsEnabled: boolean;
  /** What readers of `/metrics` send; null: only this machine may read it. */
  readonly metricsToken: string | null;
  readonly docsEnabled: boolean;
  /** How long a service that was asked to end goes on answering, while `/readyz` says that it ends. */
  readonly drainSeconds: number;
  /** How far standbys may be behind what the service sweeps; null: that is not looked at. */
  readonly maxReplicationLagSeconds: number | null;
}

/** From the most to the fewest lines. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

function invalid(name: string, rule: string): FieldsealError {
  return new FieldsealError('ERR_CONFIG_INVALID', `${name} must be ${rule}.`);
}

function whole(env: Environment, name: string, fallback: number, min: number, max: number): number {
  const text = env[name]?.trim();
  if (!text) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) throw invalid(name, `a whole number from ${min} to ${max}`);
  return value;
}

function flag(env: Environment, name: string, fallback: boolean): boolean {
  const text = env[name]?.trim().toLowerCase();
  if (!text) return fallback;
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw invalid(name, 'true or false');
}

function list(env: Environment, name: string): string[] {
  return (env[name] ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function logLevel(env: Environment): LogLevel {
  const text = env['LOG_LEVEL']?.trim().toLowerCase() || 'info';
  const level = LOG_LEVELS.find((one) => one === text);
  if (!level) throw invalid('LOG_LEVEL', `one of ${LOG_LEVELS.join(', ')}`);
  return level;
}

/** Long enough not to be guessed. */
function bearerToken(env: Environment, name: string): string | null {
  const text = env[name]?.trim();
  if (!text) return null;
  if (!/^[!-~]{16,512}$/.test(text)) throw invalid(name, '16 to 512 printable ASCII characters without spaces');
  return text;
}

/** An address, or a network of at least one bit. */
function isProxy(text: string): boolean {
  const [, address = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const bits = isIP(address) === 4 ? 32 : 128;
  if (isIP(address) === 0 || address.includes('%')) return false;
  return length === undefined || (Number(length) >= 1 && Number(length) <= bits);
}

/** As a browser writes it: `*` and `null` are none, nor is what has a path or its scheme's own port. */
function originOf(text: string): string | null {
  return URL.canParse(text) ? new URL(text).origin : null;
}

/** @throws FieldsealError `ERR_CONFIG_INVALID`, naming the variable and the rule, never the value */
export function readSettings(env: Environment): Settings {
  const apiKeyPrefix = env['API_KEY_PREFIX']?.trim() || 'pk';
  if (!/^[A-Za-z][A-Za-z0-9]{0,15}$/.test(apiKeyPrefix)) {
    throw invalid('API_KEY_PREFIX', 'a letter and up to 15 more letters or digits');
  }
  const trustedProxies = list(env, 'TRUSTED_PROXIES');
  if (!trustedProxies.every(isProxy)) {
    throw invalid('TRUSTED_PROXIES', 'addresses or networks, separated by commas: 10.0.0.1, 10.1.0.0/16');
  }
  const corsOrigins = list(env, 'CORS_ORIGINS');
  if (!corsOrigins.every((origin) => /^https?:\/\/[^/*]+$/.test(origin) && originOf(origin) === origin)) {
    throw invalid('CORS_ORIGINS', 'origins, separated by commas: https://app.example, http://localhost:3000');
  }
  return {
    host: env['HOST']?.trim() || '127.0.0.1',
    port: whole(env, 'PORT', 8000, 0, 65_535),
    apiKeyPrefix,
    apiKeyExpiryDays: whole(env, 'API_KEY_EXPIRY_DAYS', 30, 1, 3650),
    apiKeyRecoverable: flag(env, 'API_KEY_RECOVERABLE', true),
    apiKeysTakeOverOnUse: flag(env, 'API_KEYS_TAKE_OVER_ON_USE', false),
    trustedProxies,
    rateLimitPerMinute: whole(env, 'RATE_LIMIT_PER_MINUTE', 6000, 0, 10_000_000),
    corsOrigins,
    backupEncrypted: flag(env, 'BACKUP_ENCRYPTION_ENABLED', true),
    logLevel: logLevel(env),
    metricsEnabled: flag(env, 'METRICS_ENABLED', true),
    metricsToken: bearerToken(env, 'METRICS_TOKEN'),
    docsEnabled: flag(env, 'DOCS_ENABLED', true),
    drainSeconds: whole(env, 'DRAIN_SECONDS', 0, 0, 600),
    maxReplicationLagSeconds: whole(env, 'MAX_REPLICATION_LAG_SECONDS', 0, 1, 86_400) || null,
  };
}
