/** Gives a test a schema of its own in the test run's PostgreSQL. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

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
