import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { databaseProvider, EncryptionService, Keyring, openKeyring } from 'fieldseal';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { onPostgres, onSqlite, type RunningService, withService } from './with-service.ts';

const API = '/api/encryption';
test('a PostgreSQL that goes away is answered with 503, and with 200 once it is back', async () => {
  await withService(onPostgres, {}, async (service) => {
    const token = await service.token('1');
    expect((await service.request('GET', `${API}/keys`, { token })).status).toBe(200);
    const client = new pg.Client(service.env['DATABASE_URL']);
    await client.connect();
    // The service's own connections, known by the schema in what they last asked.
    const { rowCount } = await client.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%' || $1 || '%'",
      [service.env['DATABASE_SCHEMA']],
    );
    expect(rowCount).toBeGreaterThan(0);
    await client.end();
    const statuses = new Set<number>();
    for (let i = 0; i < 20; i++) statuses.add((await service.request('GET', `${API}/keys`, { token })).status);
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect((await service.request('GET', `${API}/keys`, { token })).status).toBe(200);
  });
});

test('a SQLite database that stays locked is answered with 503, other requests meanwhile with 200, and all of them once it is free', async () => {
  await withService(onSqlite, {}, async (service) => {
    const token = await service.token('1');
    const db = new Database(service.project.file);
    db.exec('BEGIN EXCLUSIVE');
    let isAnswered = false;
    const created = service.request('POST', `${API}/keys`, { token, body: { name: 'k' } }).finally(() => {
      isAnswered = true;
    });
    for (let i = 0; i < 5; i++) expect((await service.request('GET', '/healthz')).status).toBe(200);
    expect(isAnswered).toBe(false);
    expect(await created).toMatchObject({ status: 503, body: { code: 'ERR_UNAVAILABLE' } });
    expect((await service.request('GET', '/readyz')).status).toBe(503);
    db.exec('ROLLBACK');
    db.close();
    expect((await service.request('GET', '/readyz')).status).toBe(200);
    expect((await service.request('POST', `${API}/keys`, { token, body: { name: 'k' } })).status).toBe(201);
  });
});

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
])('on %s', (_name, place) => {
  test('no answer but the creation, and neither database, log nor audit holds a key', async () => {
    await withService(place, {}, async (service) => {
      const token = await service.token('ada');
      const keys: string[] = [];
      for (const name of ['one', 'two', 'three']) {
        keys.push((await service.request('POST', `${API}/keys`, { token, body: { name, scopes: 'a' } })).body.key);
      }
      service.project.keepSecret(...keys);
      const answers = [
        await service.request('GET', `${API}/keys`, { token }),
        await service.request('GET', `${API}/audit-logs`, { token }),
        await service.request('GET', `${API}/keys`, { token: keys[0] as string }),
        await service.request('DELETE', `${API}/keys/1`, { token, body: { reason: 'x' } }),
        await service.request('POST', `${API}/keys`, { token: keys[1] as string, body: { name: 'k' } }),
      ];
      await service.project.fieldseal('audit', 'export', { env: service.env });
      await service.project.fieldseal('api-keys', 'list', '--json', { env: service.env });
      const dump = await dumpOf(service);
      for (const secret of [...keys, token, service.project.key, service.env['AUTH_JWT_SECRET'] as string]) {
        expect(JSON.stringify(answers)).not.toContain(secret);
        expect(service.output()).not.toContain(secret);
        expect(dump).not.toContain(secret);
      }
      expect(dump).toContain('gAAAAA');
    });

    /** Every row of every table of ours, as text; on SQLite the bytes of the file as well. */
    async function dumpOf({ env, project }: RunningService): Promise<string> {
      const tables = [
        'api_keys',
        'audit_logs',
        'encryption_key_rotations',
        'encryption_keys',
        'keyring_state',
        'sweep_failures',
        'sweep_ranges',
      ];
      const schema = env['DATABASE_SCHEMA'];
      if (schema === undefined) {
        const files = readdirSync(project.folder).filter((name) => name.startsWith('app.db'));
        return files.map((name) => readFileSync(join(project.folder, name), 'latin1')).join();
      }
      const client = new pg.Client(env['DATABASE_URL']);
      await client.connect();
      const rows = await Promise.all(
        tables.map(async (table) => (await client.query(`SELECT * FROM "${schema}"."${table}"`)).rows),
      );
      await client.end();
      return JSON.stringify(rows);
    }
  });
});

test('the encrypted copy of a key is left out where the configuration says so', async () => {
  await withService(onSqlite, { serveEnv: { API_KEY_RECOVERABLE: 'false' } }, async (service) => {
    const { body } = await service.request('POST', `${API}/keys`, {
      token: await service.token('1'),
      body: { name: 'k' },
    });
    expect(service.project.db((db) => db.prepare('SELECT encrypted_key FROM api_keys').pluck().get())).toBe(null);
    expect((await service.request('GET', `${API}/keys`, { token: body.key })).body.code).toBe('ERR_FORBIDDEN');
  });
});

test('a key whose row was widened, given away, prolonged or forged in the database is nobody’s', async () => {
  await withService(onSqlite, {}, async (service) => {
    const { project } = service;
    const admin = await service.token('root', '--admin');
    const issue = async () =>
      (await service.request('POST', `${API}/keys`, { token: admin, body: { name: 'k', scopes: 'keys:read' } })).body;
    for (const change of [
      "scopes = 'keys:read,keys:write'",
      "user_id = 'mallory'",
      "expires_at = '2099-01-01T00:00:00.000Z'",
      'expires_at = NULL',
    ]) {
      // Of a key in memory the service knows what it was issued with, and asks the row for no more.
      const { id, key } = await issue();
      project.db((db) => db.prepare(`UPDATE api_keys SET ${change} WHERE id = ?`).run(id));
      expect([change, (await service.request('GET', `${API}/keys`, { token: key })).status]).toEqual([change, 401]);
    }
    // Somebody who can write to the database, and have the application encrypt a text of their choice.
    const forged = 'pk_forged_00000000000000000000000000000000';
    const ring = await openKeyring(
      databaseProvider({
        dialect: 'sqlite',
        rootKey: project.key,
        query: (sql, params) => project.db((db) => db.prepare(sql).all(...params) as Record<string, unknown>[]),
      }),
    );
    const token = new EncryptionService(new Keyring(ring.snapshot())).encryptField(forged);
    await ring.close();
    project.db((db) =>
      db
        .prepare(
          "INSERT INTO api_keys (user_id, name, prefix, encrypted_key, scopes, is_active, created_at) VALUES ('root', 'k', 'pk_forged', ?, 'keys:read', 1, '2026-01-01T00:00:00.000Z')",
        )
        .run(token),
    );
    await service.end('SIGTERM');
    await service.restart();
    expect((await service.request('GET', `${API}/keys`, { token: forged })).status).toBe(401);
    // Nor does it help to have the keyring made anew: a database that had one gets no other.
    await service.end('SIGTERM');
    project.db((db) => db.exec('DELETE FROM keyring_state; DELETE FROM encryption_keys'));
    const { exitCode, stderr } = await project.fieldseal('serve', { env: { ...service.env, PORT: '0' } });
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('[ERR_KEYRING_NOT_FOUND]')]);
  });
});
