/** `GET /audit-logs/export`. */
import { expect, test } from 'vitest';
import { refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';

onBothDatabases((app) => {
  test('200 with the own rows, an object a line or CSV', async () => {
    const token = await app().token(freshSubject());
    await app().call('POST', '/keys', { token, body: { name: 'k' } });
    const lines = await app().call('GET', '/audit-logs/export?action=api_key_created', { token });
    expect([lines.status, lines.headers['content-type']]).toEqual([200, 'application/x-ndjson']);
    expect(
      lines.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).details.name),
    ).toEqual(['k']);
    const csv = await app().call('GET', '/audit-logs/export?format=csv&action=api_key_created', { token });
    expect([csv.status, csv.text.trimEnd().split('\r\n').length]).toEqual([200, 2]);
    const other = await app().call('GET', '/audit-logs/export?action=api_key_created', {
      token: await app().token(freshSubject()),
    });
    expect([other.status, other.text]).toEqual([200, '']);
  });

  refusesAsEveryRoute(app, {
    method: 'GET',
    path: '/audit-logs/export',
    scope: 'audit:read',
    table: 'audit_logs',
    malformed: [
      [{ path: '/audit-logs/export?format=xml' }, 'format'],
      [{ path: '/audit-logs/export?from=yesterday' }, 'from'],
      [{ path: '/audit-logs/export?limit=1' }, 'limit'],
      [{ path: '/audit-logs/export?action=a&action=b' }, 'action'],
    ],
  });
});
