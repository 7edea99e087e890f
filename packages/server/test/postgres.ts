/** Gives a test a schema of its own in the test run's PostgreSQL. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import type { ProviderDatabase } from '../../fieldseal/test/providers/provider-database.ts';
import { openStore } from '../src/store/open-store.js';

export interface PostgresSchema {
  readonly url: string;
  /** A name that nothing uses yet; the schema itself isn't made, and is dropped afterwards. */
  readonly schema: string;
  /** An open connection of the test's own, for SQL. */
  readonly client: pg.Client;
}

export async function withPostgresSchema<T>(work: (place: PostgresSchema) => Promise<T>): Promise<T> {
  const url = inject('postgresUrl');
  const schema = `test_${randomUUID().replaceAll('-', '')}`;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work({ url, schema, client });
  } finally {
    await client.query(`drop schema if exists ${schema} cascade`);
    await client.end();
  }
}

/** The tables that the store makes, as a provider of the library asks for them. */
export function withPostgresProvider(work: (database: ProviderDatabase) => Promise<void>): Promise<void> {
  return withPostgresSchema(async ({ url, schema }) => {
    await (await openStore({ dialect: 'postgres', connectionString: url }, { schema })).close();
    const pool = new pg.Pool({ connectionString: url });
    try {
      await work({
        dialect: 'postgres',
        schema,
        query: async (sql, params) => (await pool.query(sql, [...params])).rows,
      });
    } finally {
      await pool.end();
    }
  });
}
