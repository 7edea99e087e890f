import Database from 'better-sqlite3';
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3';
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres';
import { Fernet, takeEnvironmentKeys } from 'fieldseal';
import pg from 'pg';
import { expect, test } from 'vitest';
import { fieldsealTables } from '../../src/drizzle/postgres.ts';
import { apiKeys, auditLogs, encryptionKeyRotations } from '../../src/drizzle/sqlite.ts';
import { createApiKey, openService, openStore, parseDatabaseUrl, recordAudit } from '../../src/index.ts';
import { withPostgresSchema } from '../postgres.ts';
import { withProject } from '../with-project.ts';

/** A key, an audit row and nothing else, written by code as the guide's examples do. */
async function fill(url: string, schema: string): Promise<void> {
  const store = await openStore(parseDatabaseUrl(url), { schema });
  const { service } = await openService(store, takeEnvironmentKeys({ ENCRYPTION_KEY: Fernet.generateKey() }));
  await createApiKey(
    service,
    {
      name: 'Integration Key',
      expires_in_days: 90,
      scopes: 'read:projects,write:sns,delete:keys',
      allowed_ips: ['10.0.0.0/8', '::1'],
      quota: 5,
      metadata: { a: 1 },
    },
    '42',
  );
  await recordAudit(service, {
    userId: '42',
    action: 'sensitive_field_accessed',
    resourceType: 'user',
    resourceId: '42',
    status: 'success',
  });
  await store.close();
}

const KEY = {
  userId: '42',
  name: 'Integration Key',
  scopes: 'read:projects,write:sns,delete:keys',
  isActive: true,
  revokedAt: null,
  disabledAt: null,
  allowedIps: '10.0.0.0/8,::1',
  rateLimit: null,
  quota: 5,
  metadata: '{"a":1}',
  rerolledFrom: null,
};
const ACTIONS = ['keyring_created', 'api_key_created', 'sensitive_field_accessed'];

test('keys and audit rows that code wrote are read through the Drizzle tables of SQLite', async () => {
  await withProject({ sql: '' }, async (project) => {
    await fill(`sqlite:${project.file}`, 'fieldseal');
    const sqlite = new Database(project.file, { readonly: true });
    const db = drizzleSqlite(sqlite);
    expect(db.select().from(apiKeys).all()).toEqual([expect.objectContaining(KEY)]);
    expect(
      db
        .select()
        .from(auditLogs)
        .all()
        .map(({ action }) => action),
    ).toEqual(ACTIONS);
    expect(db.select().from(encryptionKeyRotations).all()).toEqual([]);
    sqlite.close();
  });
});

test('and through those of PostgreSQL', async () => {
  await withPostgresSchema(async ({ url, schema }) => {
    await fill(url, schema);
    const pool = new pg.Pool({ connectionString: url });
    const db = drizzlePostgres(pool);
    const tables = fieldsealTables(schema);
    expect(await db.select().from(tables.apiKeys)).toEqual([expect.objectContaining(KEY)]);
    const rows = await db.select().from(tables.auditLogs).orderBy(tables.auditLogs.id);
    expect(rows.map(({ action }) => action)).toEqual(ACTIONS);
    expect(await db.select().from(tables.encryptionKeyRotations)).toEqual([]);
    await pool.end();
  });
});
