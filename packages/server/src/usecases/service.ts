/** The open service: its store, its keyring and its settings, as the use cases of the REST API get it. */
import { type EnvironmentKeys, FieldsealError, type KeyringSnapshot } from 'fieldseal';
import { ApiKeySeal } from '../auth/api-key-seal.js';
import { OPERATOR, type Principal } from '../auth/principal.js';
import type { NewAuditRow, Store, StoreTransaction } from '../store/store.js';
import { API_KEY_CACHE_SIZE, ApiKeyVerification } from './api-key-verification.js';
import { Repeats } from './repeats.js';
import { type HashedValues, type HashValues, hashedDetails, valueHasher } from './sensitive-values.js';
import { type GivenKeys, openServiceKeyring, type ServiceKeyring, withPurposeKey } from './service-keyring.js';

/** `API_KEY_PREFIX`, `API_KEY_EXPIRY_DAYS`, `API_KEY_RECOVERABLE`, `API_KEYS_TAKE_OVER_ON_USE`. */
export interface ServiceSettings {
  /** What keys begin with: `pk`. */
  readonly apiKeyPrefix: string;
  readonly apiKeyExpiryDays: number;
  /** Whether an encrypted copy of each key is kept beside its hash. */
  readonly apiKeyRecoverable: boolean;
  /** Whether keys of the Python original gain their hash when they are used, without an operator. */
  readonly apiKeysTakeOverOnUse: boolean;
}

export const DEFAULT_SETTINGS: ServiceSettings = {
  apiKeyPrefix: 'pk',
  apiKeyExpiryDays: 30,
  apiKeyRecoverable: true,
  apiKeysTakeOverOnUse: false,
};

/** How a service is opened. */
export interface ServiceOptions {
  /** How many verified API keys are kept in memory (10,000); 0: each is asked of the database. */
  readonly cachedApiKeys?: number;
}

/** Who does something, and from where: what an audit row says besides what was done. */
export interface Actor {
  readonly principal: Principal;
  readonly ipAddress: string | null;
  readonly requestId: string | null;
  readonly userAgent: string | null;
}

/** The operator at the command line, and code that calls use cases of its own accord. */
export const OPERATOR_ACTOR: Actor = { principal: OPERATOR, ipAddress: null, requestId: null, userAgent: null };

/** An open service. */
export interface Service {
  readonly store: Store;
  readonly settings: ServiceSettings;
  readonly seal: ApiKeySeal;
  /** Finds presented keys. A process that goes on starts it, and stops it before the store is closed. */
  readonly verification: ApiKeyVerification;
  /** The newest keyring, read in the caller's transaction: a process that holds none can encrypt under no stale key. */
  openKeyring(tx: StoreTransaction): Promise<ServiceKeyring>;
  /** Hashes sensitive values for details of audit rows, and to search for them. Not within a transaction. */
  readonly hashValues: HashValues;
  /** Rows that repeat within a minute. Whoever closes the store closes this first, or counts are lost. */
  readonly repeats: Repeats;
}

/** The keys that a process finds in its environment: `ROOT_KEY` wraps the ring, or `ENCRYPTION_KEY` where it is not set. */
export function keysToOpen({ current, previous, root }: EnvironmentKeys): GivenKeys {
  const first = root ?? current;
  return { current, previous, roots: first ? [first] : [] };
}

/**
 * Opens the service on a store. A first start makes the keyring.
 * @throws FieldsealError `ERR_KEY_MISSING`, `ERR_KEYRING_ROOT`, `ERR_KEYRING_TAMPERED`
 */
export async function openService(
  store: Store,
  keys: EnvironmentKeys,
  settings: ServiceSettings = DEFAULT_SETTINGS,
  { cachedApiKeys = API_KEY_CACHE_SIZE }: ServiceOptions = {},
): Promise<{ readonly service: Service; readonly isNew: boolean }> {
  const given = keysToOpen(keys);
  const first = await openServiceKeyring(store, given, true);
  const { ring } = await withPurposeKey(store, first, 'api-key-hash');
  const seal = sealOf(ring);
  const service: Service = {
    store,
    settings,
    seal,
    verification: new ApiKeyVerification(store, seal, cachedApiKeys),
    openKeyring: (tx) => openServiceKeyring({ ...store, ...tx }, { ...given, previous: [] }, false),
    hashValues: valueHasher(store, given),
    repeats: new Repeats(store.audit),
  };
  return { service, isNew: first.isNew };
}

function sealOf(ring: KeyringSnapshot): ApiKeySeal {
  const seal = ApiKeySeal.of(ring);
  if (!seal) throw new FieldsealError('ERR_KEYRING_INVALID', 'The keyring has no key to hash API keys with.');
  return seal;
}

/** What an audit row says of what was done. */
export interface Audited extends Pick<NewAuditRow, 'action' | 'resourceType' | 'status'> {
  readonly resourceId?: string | null;
  readonly details?: Readonly<Record<string, unknown>>;
  /** Hashed by the service's `hashValues`; the details show them as `{"email":{"hmac":…}}`. */
  readonly sensitive?: HashedValues;
}

/** An audit row of what `actor` did. */
export function auditRow({ principal, ipAddress, requestId, userAgent }: Actor, row: Audited): NewAuditRow {
  const via =
    principal.kind === 'user'
      ? {}
      : { via: principal.kind, ...(principal.apiKeyId !== null && { apiKeyId: principal.apiKeyId }) };
  return {
    action: row.action,
    resourceType: row.resourceType,
    resourceId: row.resourceId ?? null,
    status: row.status,
    userId: principal.kind === 'operator' ? null : principal.subject,
    ipAddress,
    requestId,
    userAgent,
    details: JSON.stringify({ ...row.details, ...hashedDetails(row.sensitive ?? {}), ...via }),
    ...(row.sensitive && { values: row.sensitive }),
  };
}
