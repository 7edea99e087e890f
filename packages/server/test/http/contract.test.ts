import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { finishedRotation } from './rotation.ts';
import { onPostgres, onSqlite, type RunningService, withService } from './with-service.ts';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

/** Types a command of the guide as it stands there, only with the test's port in the place of 8000. */
async function typed(service: RunningService, command: string, env: Record<string, string>) {
  const port = new URL(service.url).port;
  const script = command
    .replace('http://localhost:8000', `http://127.0.0.1:${port}`)
    .replace(/^curl /, 'curl -s -w "\\n%{http_code}" ');
  const { stdout } = await promisify(execFile)('bash', ['-c', script], { env: { PATH: process.env['PATH'], ...env } });
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: JSON.parse(stdout.slice(0, end)) };
}

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
])('the guide’s six calls, typed as they stand there, on %s', (_name, place) => {
  test('answer with the guide’s fields', async () => {
    await withService(place, {}, async (service) => {
      const env = { TOKEN: await service.token('1'), ADMIN_TOKEN: await service.token('2', '--admin') };

      const created = await typed(
        service,
        `curl -X POST http://localhost:8000/api/encryption/keys \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{
    "name": "Production API Key",
    "expires_in_days": 30,
    "scopes": "read:projects,write:sns"
  }'`,
        env,
      );
      expect(created).toEqual({
        status: 201,
        body: {
          id: 1,
          name: 'Production API Key',
          key: expect.stringMatching(/^pk_[0-9A-Za-z]{6}_[0-9A-Za-z]{32}$/),
          prefix: created.body.key.slice(0, 9),
          created_at: TIME,
          expires_at: TIME,
          scopes: ['read:projects', 'write:sns'],
          is_active: true,
        },
      });
      const { created_at, expires_at } = created.body;
      expect(Date.parse(expires_at) - Date.parse(created_at)).toBe(30 * 86_400_000);

      const listed = await typed(
        service,
        `curl -X GET http://localhost:8000/api/encryption/keys \\
  -H "Authorization: Bearer $TOKEN"`,
        env,
      );
      const { key: _key, ...shown } = created.body;
      expect(listed).toEqual({ status: 200, body: [{ ...shown, last_used_at: null }] });

      const revoked = await typed(
        service,
        `curl -X DELETE http://localhost:8000/api/encryption/keys/1 \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{
    "reason": "Key compromised"
  }'`,
        env,
      );
      expect(revoked).toEqual({ status: 200, body: { message: 'Key revoked successfully', id: 1, revoked_at: TIME } });

      const audited = await typed(
        service,
        `curl -X GET "http://localhost:8000/api/encryption/audit-logs?limit=50&action=api_key_created" \\
  -H "Authorization: Bearer $TOKEN"`,
        env,
      );
      expect(audited).toEqual({
        status: 200,
        body: {
          total: 1,
          logs: [
            {
              id: expect.any(Number),
              user_id: 1,
              action: 'api_key_created',
              resource_type: 'api_key',
              resource_id: 1,
              ip_address: '127.0.0.1',
              status: 'success',
              timestamp: TIME,
            },
          ],
        },
      });

      const started = await typed(
        service,
        `curl -X POST http://localhost:8000/api/encryption/rotate \\
  -H "Authorization: Bearer $ADMIN_TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{
    "notes": "Scheduled quarterly rotation"
  }'`,
        env,
      );
      expect(started).toEqual({
        status: 202,
        body: { rotation_id: 1, status: 'pending', message: 'Key rotation initiated' },
      });
      await finishedRotation(service, 1, env.ADMIN_TOKEN);

      const status = await typed(
        service,
        `curl -X GET http://localhost:8000/api/encryption/rotation-status/1 \\
  -H "Authorization: Bearer $ADMIN_TOKEN"`,
        env,
      );
      expect(status).toEqual({
        status: 200,
        body: {
          id: 1,
          old_key_version: 'v1',
          new_key_version: 'v2',
          timestamp: TIME,
          rotation_status: 'completed',
          total_records: 1,
          rotated_records: 1,
          failed_records: 0,
          progress_percent: 100,
        },
      });
      expect(await service.end('SIGTERM')).toBe(0);
      expect(service.output()).not.toContain(created.body.key);
    });
  });
});
