/** `POST /audit-logs/search`. */
import { expect, test } from 'vitest';
import { recordAudit } from '../../../src/usecases/record-audit.ts';
import { refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';

onBothDatabases((app) => {
  test('200 with the own rows whose details hold the value', async () => {
    const subject = freshSubject();
    const token = await app().token(subject);
    const row = { userId: subject, action: 'profile_read', resourceType: 'user', status: 'success' } as const;
    await recordAudit(app().service, { ...row, sensitive: { email: `${subject}@example.com` } });
    const search = async (value: string, caller = token) => {
      const { status, body } = await app().call('POST', '/audit-logs/search', {
        token: caller,
        body: { name: 'email', value },
      });
      return [status, body.total, body.logs.map(({ action }: { action: string }) => action)];
    };
    expect(await search(`${subject}@example.com`)).toEqual([200, 1, ['profile_read']]);
    expect(await search('nobody@example.com')).toEqual([200, 0, []]);
    expect(await search(`${subject}@example.com`, await app().token(freshSubject()))).toEqual([200, 0, []]);
  });

  refusesAsEveryRoute(app, {
    method: 'POST',
    path: '/audit-logs/search',
    body: { name: 'email', value: 'a@example.com' },
    scope: 'audit:read',
    table: 'audit_logs',
    malformed: [
      [{ body: {} }, 'name'],
      [{ body: { name: 'email', value: '' } }, 'value'],
      [{ body: { name: 'email', value: 'a', limit: 0 } }, 'limit'],
      [{ body: { name: 'email', value: 'a', unknown: 1 } }, 'unknown'],
    ],
  });
});
