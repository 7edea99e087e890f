/** An open service in the test's own process, on either database, and API keys with whatever limits a test wants. */
import Database from 'better-sqlite3';
import { EncryptionService, type EnvironmentKeys, Keyring, Secret } from 'fieldseal';
import pg from 'pg';
import { generateApiKey } from '../../src/auth/api-key-format.js';
import type { DatabaseTarget } from '../../src/store/database-url.js';
import { openStore } from '../../src/store/open-store.js';
import { type ApiKeyRow, type NewApiKeyRow, NO_LIMITS, type Store } from '../../src/store/store.js';
import {
  DEFAULT_SETTINGS,
  openService,
  type Service,
  type ServiceOptions,
  type ServiceSettings,
} from '../../src/usecases/service.js';
import { withPostgresSchema } from '../postgres.js';
import { withSqliteFile } from '../store/sqlite-file.js';

export interface ServicePlace {
  readonly target: DatabaseTarget;
  readonly schema: string;
  readonly keys: EnvironmentKeys;
  /** What a process of its own needs to open the same. */
  readonly childArgs: string;
  /** Another service on the same database, as another process has it; stopped and closed at the end. */
  open(
    options?: ServiceOptions & {
      readonly settings?: Partial<ServiceSettings>;
      readonly wrap?: (store: Store) => Store;
    },
  ): Promise<Service>;
}

export type WithPlace = (work: (place: ServicePlace) => Promise<void>) => Promise<void>;

async function inPlace(
  target: DatabaseTarget,
  schema: string,
  work: (place: ServicePlace) => Promise<void>,
): Promise<void> {
  const root = Secret.random(32);
  const keys: EnvironmentKeys = { current: root, previous: [], root: null };
  const opened: { readonly service: Service; readonly store: Store }[] = [];
  try {
    await work({
      target,
      schema,
      keys,
      childArgs: JSON.stringify({ target, schema, key: Buffer.from(root.reveal()).toString('base64') }),
      async open({ wrap = (store: Store) => store, settings = {}, ...options } = {}) {
        const store = await openStore(target, { schema, offEventLoop: true });
        const { service } = await openService(wrap(store), keys, { ...DEFAULT_SETTINGS, ...settings }, options);
        opened.push({ service, store });
        return service;
      },
    });
  } finally {
    for (const { service, store } of opened) {
      await service.verification.stop();
      await store.close();
    }
  }
}

export const onSqliteFile: WithPlace = (work) =>
  withSqliteFile((file) => inPlace({ dialect: 'sqlite', file }, 'fieldseal', work));

export const onPostgresSchema: WithPlace = (work) =>
  withPostgresSchema(({ url, schema }) => inPlace({ dialect: 'postgres', connectionString: url }, schema, work));

/** Issues a key as the service would, with what `change` says. */
export async function issueKey(
  { store, seal }: Service,
  change: Partial<NewApiKeyRow> & { readonly key?: string } = {},
): Promise<{ readonly key: string; readonly row: ApiKeyRow }> {
  const generated = generateApiKey('pk');
  const { key = generated.key, ...given } = change;
  const fields = {
    ...NO_LIMITS,
    userId: '7',
    name: 'k',
    prefix: key.slice(0, key.lastIndexOf('_')),
    scopes: ['read:projects', 'write:sns'],
    createdAt: '2026-01-01T00:00:00.000Z',
    expiresAt: '2126-01-01T00:00:00.000Z',
    encryptedKey: null,
    rerolledFrom: null,
    ...given,
  };
  const keyHash = seal.hashKey(key);
  const row = await store.apiKeys.insert({ ...fields, keyHash, rowMac: seal.macRow(fields, keyHash) });
  return { key, row };
}

/** Inserts a key as the Python original left it, with an encrypted copy and no hash, and with what `change` says. */
export async function insertOriginal(
  { store, openKeyring }: Service,
  key: string,
  change: Partial<NewApiKeyRow> = {},
): Promise<ApiKeyRow> {
  const current = new EncryptionService(new Keyring((await openKeyring(store)).ring));
  return store.apiKeys.insert({
    ...NO_LIMITS,
    userId: '42',
    name: 'Integration Key',
    prefix: key.split('_', 2).join('_'),
    keyHash: null,
    rowMac: null,
    encryptedKey: current.encryptField(key),
    scopes: ['keys:read', 'read:projects'],
    createdAt: '2026-01-01T00:00:00.000Z',
    expiresAt: null,
    rerolledFrom: null,
    ...change,
  });
}

/** Runs SQL behind the service's back; `{t}` before a table's name stands for its schema. */
export async function alter({ target, schema }: ServicePlace, sql: string): Promise<void> {
  if (target.dialect === 'sqlite') {
    const db = new Database(target.file);
    db.exec(sql.replaceAll('{t}', ''));
    db.close();
    return;
  }
  const client = new pg.Client({ connectionString: target.connectionString });
  await client.connect();
  await client.query(sql.replaceAll('{t}', `${schema}.`));
  await client.end();
}
