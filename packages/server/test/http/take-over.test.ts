import { spawnSync } from 'node:child_process';
import { Fernet } from 'fieldseal';
import { describe, expect, test } from 'vitest';
import { pythonFor } from '../../../fieldseal/test/python.ts';
import { insertOriginal } from '../usecases/with-open-service.ts';
import { withProject } from '../with-project.ts';
import { finishedRotation } from './rotation.ts';
import { onPostgres, onSqlite, withSameDatabase, withService } from './with-service.ts';

const API = '/api/encryption';
const KEY_TEXT = 'pk_abc123_Qm9yZGVycyBhcmUgZHJhd24gaW4gc2FuZA';

/** Python with pyca/cryptography makes the database: the original's tables as SQLAlchemy emits them, its tokens its own. */
const MAKE_ORIGINAL = `
import sqlite3, sys
from cryptography.fernet import Fernet
file, key, api_key = sys.stdin.read().split()
fernet = Fernet(key)
db = sqlite3.connect(file)
db.executescript('''
CREATE TABLE users (id INTEGER NOT NULL, phone_number VARCHAR(255), PRIMARY KEY (id));
CREATE TABLE api_keys (id INTEGER NOT NULL, user_id INTEGER NOT NULL, name VARCHAR(100) NOT NULL, prefix VARCHAR(20) NOT NULL,
  encrypted_key TEXT NOT NULL, scopes VARCHAR(500), created_at DATETIME, expires_at DATETIME, last_used_at DATETIME,
  is_active BOOLEAN, PRIMARY KEY (id), FOREIGN KEY(user_id) REFERENCES users (id));
CREATE INDEX idx_api_key_prefix ON api_keys (prefix);
CREATE TABLE audit_logs (id INTEGER NOT NULL, user_id INTEGER, action VARCHAR(100) NOT NULL, resource_type VARCHAR(50),
  resource_id INTEGER, ip_address VARCHAR(45), status VARCHAR(20), timestamp DATETIME, details TEXT, PRIMARY KEY (id));
CREATE TABLE encryption_key_rotations (id INTEGER NOT NULL, old_key_version VARCHAR(50) NOT NULL,
  new_key_version VARCHAR(50) NOT NULL, timestamp DATETIME, rotation_status VARCHAR(20), total_records INTEGER,
  rotated_records INTEGER, failed_records INTEGER, error_details TEXT, PRIMARY KEY (id));
''')
token = lambda text: fernet.encrypt(text.encode()).decode()
db.execute('INSERT INTO users VALUES (42, ?)', (token('+82-10-1234-5678'),))
db.execute("INSERT INTO api_keys VALUES (7, 42, 'Integration Key', 'pk_abc123', ?, 'keys:read,read:projects', '2026-02-26 10:00:00.000000', NULL, NULL, 1)", (token(api_key),))
db.execute("INSERT INTO audit_logs VALUES (3, 42, 'api_key_created', 'api_key', 7, '192.168.1.100', 'success', '2026-02-26 10:00:00.000000', NULL)")
db.execute("INSERT INTO encryption_key_rotations VALUES (1, 'v1', 'v2', '2026-02-26 10:00:00.000000', 'in_progress', 150, 120, 0, NULL)")
db.commit()
`;

test('a database that Python made is taken over: its tokens read, its API keys verify, its audit rows and rotations stay', async (context) => {
  const python = pythonFor('import cryptography.fernet, sqlite3', context);
  const config = `import { defineConfig, defineModel, encryptedString } from 'fieldseal';
export default defineConfig({ keys: 'stored', model: defineModel({ users: { primaryKey: 'id', columns: { phone_number: encryptedString({ length: 20 }) } } }) });`;
  await withService(
    (options, work) =>
      withProject({ ...options, sql: null }, (project) => {
        project.keepSecret(KEY_TEXT, '+82-10-1234-5678');
        const { status, stderr } = spawnSync(python, ['-c', MAKE_ORIGINAL], {
          input: `${project.file} ${project.key} ${KEY_TEXT}`,
          encoding: 'utf8',
        });
        expect([status, stderr]).toEqual([0, '']);
        return work(project, { DATABASE_URL: 'sqlite:app.db' });
      }),
    { config },
    async (service) => {
      // Nothing is valid before an operator has looked.
      expect((await service.request('GET', `${API}/keys`, { token: KEY_TEXT })).status).toBe(401);
      expect(service.output()).toContain('1 API key(s) have no hash');
      const look = await service.project.fieldseal('api-keys', 'take-over', '--dry-run', '--json', {
        env: service.env,
      });
      expect(look.last).toMatchObject({ hashed: [{ id: 7, userId: '42', prefix: 'pk_abc123' }], unreadable: [] });
      expect((await service.request('GET', `${API}/keys`, { token: KEY_TEXT })).status).toBe(401);
      expect((await service.project.fieldseal('api-keys', 'take-over', { env: service.env })).exitCode).toBe(0);

      const listed = await service.request('GET', `${API}/keys`, { token: KEY_TEXT });
      expect(listed).toMatchObject({
        status: 200,
        body: [
          {
            id: 7,
            name: 'Integration Key',
            prefix: 'pk_abc123',
            created_at: '2026-02-26T10:00:00Z',
            expires_at: null,
            is_active: true,
            scopes: ['keys:read', 'read:projects'],
          },
        ],
      });
      const admin = await service.token('1', '--admin');
      const { body: logs } = await service.request('GET', `${API}/audit-logs?action=api_key_created`, { token: admin });
      expect(logs.logs).toEqual([
        {
          id: 3,
          user_id: 42,
          action: 'api_key_created',
          resource_type: 'api_key',
          resource_id: 7,
          ip_address: '192.168.1.100',
          status: 'success',
          timestamp: '2026-02-26T10:00:00Z',
        },
      ]);
      const old = await service.request('GET', `${API}/rotation-status/1`, { token: admin });
      expect(old.body).toMatchObject({
        old_key_version: 'v1',
        new_key_version: 'v2',
        rotation_status: 'failed',
        total_records: 150,
      });

      const { body } = await service.request('POST', `${API}/rotate`, {
        token: admin,
        body: { notes: 'the first one here' },
      });
      expect(await finishedRotation(service, body.rotation_id, admin)).toMatchObject({
        total_records: 2,
        rotated_records: 2,
        failed_records: 0,
      });
      expect((await service.request('GET', `${API}/keys`, { token: KEY_TEXT })).status).toBe(200);
      // The original could not read these any more: they are under a key that it never had.
      const stored = service.project.db((db) => db.prepare('SELECT phone_number FROM users').pluck().get()) as string;
      expect(() => new Fernet(service.project.key).decrypt(stored)).toThrow('cannot be decrypted');
    },
  );
});

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
])('with API_KEYS_TAKE_OVER_ON_USE on %s', (_name, place) => {
  test('keys of the original are valid from their first use, which the audit log shows once for each', async () => {
    const serveEnv = { API_KEYS_TAKE_OVER_ON_USE: 'true' };
    await withService(place, { serveEnv }, async (service) => {
      await expect.poll(service.output).toContain('every API key has its hash; turn API_KEYS_TAKE_OVER_ON_USE off');
      const other = 'pk_abc124_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx';
      service.project.keepSecret(KEY_TEXT, other);
      const [own, verified] = await withSameDatabase(service, async (same) => [
        await insertOriginal(same, KEY_TEXT),
        await insertOriginal(same, other),
      ]);
      await service.end('SIGTERM');
      await service.restart();
      await expect
        .poll(service.output)
        .toContain("2 API key(s) have no hash; the Python original's become valid when they are");

      expect((await service.request('GET', `${API}/keys`, { token: `${KEY_TEXT}x` })).status).toBe(401);
      const bearers = Array.from({ length: 20 }, () => service.request('GET', `${API}/keys`, { token: KEY_TEXT }));
      for (const { status } of await Promise.all(bearers)) expect(status).toBe(200);
      const token = await service.token('1', '--admin');
      const verify = (key: string) => service.request('POST', `${API}/keys/verify`, { token, body: { key } });
      expect((await verify(other.replace(/x$/, 'y'))).body.code).toBe('NOT_FOUND');
      const answers = await Promise.all(Array.from({ length: 20 }, () => verify(other)));
      for (const { body } of answers) expect(body).toMatchObject({ code: 'VALID', key_id: verified?.id, user_id: 42 });

      const exported = await service.project.fieldseal('audit', 'export', { env: service.env });
      const rows = exported.stdout.split('\n').filter((line) => line.includes('api_keys_taken_over'));
      expect(rows.map((line) => JSON.parse(line).details)).toMatchObject([
        { hashed: [verified?.id], onUse: true, via: 'system' },
        { hashed: [own?.id], onUse: true, via: 'system' },
      ]);
    });
  });
});
