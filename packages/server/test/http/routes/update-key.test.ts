/** `PATCH /keys/:id`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';

onBothDatabases((app) => {
  test('200 with the key as it is now; 409 for a revoked one, and for one that was altered in the database', async () => {
    const token = await app().token(freshSubject());
    const { id } = await app().makeKey(token);
    const changed = await app().call('PATCH', `/keys/${id}`, { token, body: { name: 'new', quota: 7 } });
    expect([changed.status, changed.body.name, changed.body.quota]).toEqual([200, 'new', 7]);
    await app().sql(`UPDATE {t}api_keys SET quota = 700 WHERE id = ${id}`);
    const again = () => app().call('PATCH', `/keys/${id}`, { token, body: { name: 'newer' } });
    expect(refusalOf(await again())).toBe('409 ERR_API_KEY_TAMPERED');
    await app().call('DELETE', `/keys/${id}`, { token });
    expect(refusalOf(await again())).toBe('409 ERR_API_KEY_STATE');
  });

  test('404 for another’s key, as for none', async () => {
    const { id } = await app().makeKey(await app().token(freshSubject()));
    const token = await app().token(freshSubject());
    for (const other of [id, 999_999])
      expect(refusalOf(await app().call('PATCH', `/keys/${other}`, { token, body: { name: 'n' } }))).toBe(
        '404 ERR_NOT_FOUND',
      );
  });

  refusesAsEveryRoute(app, {
    method: 'PATCH',
    path: '/keys/999999',
    body: { name: 'n' },
    scope: 'keys:write',
    table: 'api_keys',
    malformed: [
      ...['x', '0', '-1', '4.7', '0x1', '01', '9007199254740992'].map((id) => [{ path: `/keys/${id}` }, 'id'] as const),
      [{ body: {} }, 'body'],
      [{ body: { name: '' } }, 'name'],
      [{ body: { quota: 0 } }, 'quota'],
      [{ body: { unknown: 1 } }, 'unknown'],
    ],
  });
});
