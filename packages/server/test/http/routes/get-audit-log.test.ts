/** `GET /audit-logs/:id`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';

onBothDatabases((app) => {
  test('200 with the details of an own row, and for an admin of anybody’s; 404 for another’s, as for none', async () => {
    const token = await app().token(freshSubject());
    await app().call('POST', '/keys', { token, body: { name: 'k' } });
    const { id } = (await app().call('GET', '/audit-logs', { token })).body.logs[0];
    for (const caller of [token, await app().token(freshSubject(), { isAdmin: true })]) {
      const { status, body } = await app().call('GET', `/audit-logs/${id}`, { token: caller });
      expect([status, body.action, body.details.name]).toEqual([200, 'api_key_created', 'k']);
    }
    const stranger = await app().token(freshSubject());
    for (const other of [id, 999_999])
      expect(refusalOf(await app().call('GET', `/audit-logs/${other}`, { token: stranger }))).toBe('404 ERR_NOT_FOUND');
  });

  refusesAsEveryRoute(app, {
    method: 'GET',
    path: '/audit-logs/999999',
    scope: 'audit:read',
    table: 'audit_logs',
    malformed: [
      ...['x', '0', '-1', '4.7', '0x1', '01', '9007199254740992'].map(
        (id) => [{ path: `/audit-logs/${id}` }, 'id'] as const,
      ),
    ],
  });
});
