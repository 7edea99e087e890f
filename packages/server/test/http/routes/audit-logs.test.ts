/** `GET /audit-logs`. */
import { expect, test } from 'vitest';
import { refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';

onBothDatabases((app) => {
  test('200 with the caller’s own rows, filtered; an admin sees everybody’s', async () => {
    const subject = freshSubject();
    const token = await app().token(subject);
    await app().call('POST', '/keys', { token, body: { name: 'k' } });
    await app().call('DELETE', '/keys/999999', { token });
    const { status, body } = await app().call('GET', '/audit-logs', { token });
    expect(status).toBe(200);
    expect(body.total).toBe(2);
    expect(body.logs[0]).toEqual({
      id: expect.any(Number),
      user_id: subject,
      action: 'request_refused',
      resource_type: 'request',
      resource_id: null,
      ip_address: '127.0.0.1',
      status: 'failure',
      timestamp: expect.stringMatching(/Z$/),
    });
    const filtered = await app().call('GET', '/audit-logs?action=api_key_created&status=success', { token });
    expect(filtered.body.logs.map(({ action }: { action: string }) => action)).toEqual(['api_key_created']);
    const other = await app().call('GET', '/audit-logs', { token: await app().token(freshSubject()) });
    expect(other.body).toEqual({ total: 0, logs: [] });
    const admin = await app().token(freshSubject(), { isAdmin: true });
    expect((await app().call('GET', '/audit-logs', { token: admin })).body.total).toBeGreaterThanOrEqual(2);
  });

  refusesAsEveryRoute(app, {
    method: 'GET',
    path: '/audit-logs',
    scope: 'audit:read',
    table: 'audit_logs',
    malformed: [
      [{ path: '/audit-logs?limit=501' }, 'limit'],
      [{ path: '/audit-logs?limit=1e2' }, 'limit'],
      [{ path: '/audit-logs?before=0x1' }, 'before'],
      [{ path: '/audit-logs?action=' }, 'action'],
      [{ path: '/audit-logs?action=%00' }, 'action'],
      [{ path: '/audit-logs?action=a&action=b' }, 'action'],
      [{ path: '/audit-logs?status=maybe' }, 'status'],
      [{ path: '/audit-logs?unknown=1' }, 'unknown'],
    ],
  });
});
