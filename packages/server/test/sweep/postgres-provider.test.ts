/** The contract of the library's `databaseProvider` on PostgreSQL, over the tables that the store makes. */
import { databaseProviderContract } from '../../../fieldseal/test/providers/database-contract.ts';
import { parseDatabaseUrl } from '../../src/store/database-url.js';
import { openStore } from '../../src/store/open-store.js';
import { withPostgresSchema } from '../postgres.ts';

databaseProviderContract('PostgreSQL', (work) =>
  withPostgresSchema(async ({ url, schema, client }) => {
    await (await openStore(parseDatabaseUrl(url), { schema })).close();
    const query = async (sql: string, params: readonly (string | number)[]) =>
      (await client.query(sql, [...params])).rows;
    await work({ dialect: 'postgres', query, schema });
  }),
);
