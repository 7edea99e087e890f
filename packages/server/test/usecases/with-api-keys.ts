/** A service over a database of the test's own, as two processes have it, for tests of API keys. */
import { Fernet, takeEnvironmentKeys } from 'fieldseal';
import type { Principal } from '../../src/auth/principal.js';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { type Actor, OPERATOR_ACTOR, openService, type Service } from '../../src/usecases/service.js';
import { withPostgresSchema } from '../postgres.js';
import { executeOn, withSqliteFile } from '../store/sqlite-file.js';

export interface ApiKeysUnderTest {
  readonly service: Service;
  /** The same over connections of its own. */
  readonly other: Service;
  /** Runs SQL of the test's own; `{t}` before a table's name stands for its schema. */
  execute(sql: string): Promise<Record<string, unknown>[]>;
}

type Work = (under: ApiKeysUnderTest) => Promise<void>;

async function withServices(
  open: () => Promise<Store>,
  execute: ApiKeysUnderTest['execute'],
  work: Work,
): Promise<void> {
  const keys = takeEnvironmentKeys({ ENCRYPTION_KEY: Fernet.generateKey() });
  const first = await open();
  const second = await open();
  try {
    const { service } = await openService(first, keys);
    const { service: other } = await openService(second, keys);
    await work({ service, other, execute });
  } finally {
    await first.close();
    await second.close();
  }
}

const onSqlite = (work: Work): Promise<void> =>
  withSqliteFile((file) => {
    return withServices(
      () => openStore({ dialect: 'sqlite', file }),
      (sql) => executeOn(file, sql),
      work,
    );
  });

const onPostgres = (work: Work): Promise<void> =>
  withPostgresSchema(({ url, schema, client }) => {
    const execute = async (sql: string) => (await client.query(sql.replaceAll('{t}', `${schema}.`))).rows;
    return withServices(() => openStore({ dialect: 'postgres', connectionString: url }, { schema }), execute, work);
  });

export const API_KEY_PLACES = [
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
] as const;

/** A caller; a user with a plain token unless told. */
export function actor(subject: string, principal: Partial<Principal> = {}): Actor {
  return {
    ...OPERATOR_ACTOR,
    principal: { kind: 'user', subject, isAdmin: false, scopes: null, apiKeyId: null, ...principal },
  };
}

/** The caller that an API key is. */
export function keyActor(subject: string, apiKeyId: number, scopes: readonly string[]): Actor {
  return actor(subject, { kind: 'api_key', scopes, apiKeyId });
}
