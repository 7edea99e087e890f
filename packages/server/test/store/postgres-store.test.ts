import { describe, expect, it } from 'vitest';
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

describe('a store on PostgreSQL', () => {
  it('goes on after the server has ended its connections', () =>
    withPostgresSchema(async ({ url, schema, client }) => {
      const connectionString = `${url}?application_name=${schema}`;
      const store = await openStore({ dialect: 'postgres', connectionString }, { schema });
      const row = { action: 'a', resourceType: 'key', status: 'success' } as const;
      for (let count = 1; count <= 3; count++) {
        await Promise.all([store.audit.insert(row), store.transaction((tx) => tx.audit.insert(row))]);
        // The second argument waits until the backends are gone.
        const { rows } = await client.query(
          'select pg_terminate_backend(pid, 5000) as gone from pg_stat_activity where application_name = $1',
          [schema],
        );
        expect(rows).toContainEqual({ gone: true });
        // What the server said last is heard within a turn of the event loop.
        await new Promise((resolve) => setImmediate(resolve));
        expect(await store.audit.count({})).toBe(2 * count);
      }
      await store.close();
    }));

  it('forgets requests of the day before while others take up their keys again, and none waits in a circle', () =>
    withPostgresSchema(async ({ url, schema, client }) => {
      const store = await openStore({ dialect: 'postgres', connectionString: url }, { schema });
      try {
        for (let round = 0; round < 3; round++) {
          await client.query(`insert into ${schema}.fieldseal_idempotency_keys (subject, idempotency_key, request_hash, created_at)
            select 'ada', i::text, '', timestamptz '2020-01-01' + i * interval '1 second' from generate_series(1, 1000) as i
            on conflict (subject, idempotency_key) do update set created_at = excluded.created_at`);
          const claims = Array.from({ length: 8 }, (_, i) => ({
            subject: 'ada',
            key: String(((i + 1) % 8) * 100 + 50),
          }));
          expect(
            await Promise.all(claims.map((claim) => store.transaction((tx) => tx.idempotency.claim(claim, 'hash')))),
          ).toEqual(claims.map(() => null));
        }
      } finally {
        await store.close();
      }
    }));
});
