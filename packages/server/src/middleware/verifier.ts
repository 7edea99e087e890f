/** What asks whether an API key is valid: the database itself, or a service that is running elsewhere. */
import { type EnvironmentKeys, FieldsealError } from 'fieldseal';
import { parseDatabaseUrl } from '../store/database-url.js';
import { openStore } from '../store/open-store.js';
import { DEFAULT_SETTINGS, openService, type Service } from '../usecases/service.js';
import { type ApiKeyVerdict, judgeApiKey } from '../usecases/verify-api-key.js';

export type { ApiKeyVerdict, RateLimitState, VerificationCode } from '../usecases/verify-api-key.js';

/** A key as a request presents it. */
export interface PresentedKey {
  readonly key: string;
  /** What it must be good for. */
  readonly scopes?: readonly string[];
  /** Where the request comes from; a key with an allow-list is refused when that is no address. */
  readonly ip?: string | null;
}

/** Verifies the keys that requests present. */
export interface ApiKeyVerifier {
  /**
   * Counts a use when the key is valid.
   * @throws FieldsealError when it cannot be told: `ERR_UNAVAILABLE` and the codes of the database
   */
  verify(presented: PresentedKey): Promise<ApiKeyVerdict>;
  /** Writes what is to be written and ends its connections. Afterwards nothing is verified any more. */
  close(): Promise<void>;
}

/** Where {@link createApiKeyVerifier} finds the keys. */
export interface ApiKeyVerifierOptions {
  /** As `DATABASE_URL`: `sqlite:service.db`, `postgres://…`. */
  readonly databaseUrl: string;
  /** PostgreSQL: the schema of the service's tables (`fieldseal`). */
  readonly schema?: string;
  /** The service's own, as `takeEnvironmentKeys(env)` reads them. */
  readonly keys: EnvironmentKeys;
  /** How many verified keys are kept in memory (10,000); 0: none. */
  readonly cachedApiKeys?: number;
  /** The service's `API_KEYS_TAKE_OVER_ON_USE` (false): keys of the Python original gain their hash when they are used. */
  readonly apiKeysTakeOverOnUse?: boolean;
}

/**
 * A verifier of an application's own process, on the service's database. It keeps verified keys in memory, and asks twice a
 * second whether any key was changed: a revocation counts for every request that begins a second after it, or later.
 *
 * @throws FieldsealError of the database and the keyring
 * @example
 * const verifier = await createApiKeyVerifier({ databaseUrl: 'sqlite:service.db', keys: takeEnvironmentKeys(env) });
 */
export async function createApiKeyVerifier(options: ApiKeyVerifierOptions): Promise<ApiKeyVerifier> {
  const { databaseUrl, schema = 'fieldseal', keys, cachedApiKeys, apiKeysTakeOverOnUse = false } = options;
  const store = await openStore(parseDatabaseUrl(databaseUrl), { schema, mustExist: true, offEventLoop: true });
  let service: Service;
  try {
    ({ service } = await openService(
      store,
      keys,
      { ...DEFAULT_SETTINGS, apiKeysTakeOverOnUse },
      cachedApiKeys === undefined ? {} : { cachedApiKeys },
    ));
    await service.verification.start();
  } catch (error) {
    await store.close();
    throw error;
  }
  let closing: Promise<void> | null = null;
  return {
    async verify({ key, scopes = [], ip = null }) {
      if (closing) throw new FieldsealError('ERR_UNAVAILABLE', 'The verifier of API keys is closed.');
      return judgeApiKey(service, key, scopes, ip);
    },
    close() {
      closing ??= service.verification.stop().finally(() => store.close());
      return closing;
    },
  };
}
