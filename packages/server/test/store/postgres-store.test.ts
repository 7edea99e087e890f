import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { withPostgresSchema } from '../postgres.js';
import { storeContract } from './store-contract.js';

storeContract('PostgreSQL', (work) =>
  withPostgresSchema(async ({ url, schema, client }) => {
    const stores: Store[] = [];
    const open = async () => {
      const store = await openStore({ dialect: 'postgres', connectionString: url }, { schema });
      stores.push(store);
      return store;
    };
    const execute = async (sql: string) => (await client.query(sql.replaceAll('{t}', `${schema}.`))).rows;
    try {
      await work({ open, execute });
    } finally {
      for (const store of stores) await store.close();
    }
  }),
);
