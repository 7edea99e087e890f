/** `POST /keys/:id/enable`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';

onBothDatabases((app) => {
  const makeKey = async (token: string, more: object = {}) =>
    (await app().call('POST', '/keys', { token, body: { name: 'k', ...more } })).body as { id: number; key: string };

  test('200 with the key as it is now, and 409 when it is so already, or revoked', async () => {
    const token = await app().token(freshSubject());
    const { id } = await makeKey(token);
    await app().call('POST', `/keys/${id}/disable`, { token });
    const enable = () => app().call('POST', `/keys/${id}/enable`, { token });
    const done = await enable();
    expect([done.status, done.body.state]).toEqual([200, 'active']);
    expect(refusalOf(await enable())).toBe('409 ERR_API_KEY_STATE');
    await app().call('DELETE', `/keys/${id}`, { token });
    expect(refusalOf(await enable())).toBe('409 ERR_API_KEY_STATE');
  });

  test('404 for another’s key, as for none', async () => {
    const { id } = await makeKey(await app().token(freshSubject()));
    const token = await app().token(freshSubject());
    for (const other of [id, 999_999])
      expect(refusalOf(await app().call('POST', `/keys/${other}/enable`, { token }))).toBe('404 ERR_NOT_FOUND');
  });

  refusesAsEveryRoute(app, {
    method: 'POST',
    path: '/keys/999999/enable',
    body: {},
    scope: 'keys:write',
    table: 'api_keys',
    malformed: [
      ...['x', '0', '-1', '4.7', '0x1', '01', '9007199254740992'].map(
        (id) => [{ path: `/keys/${id}/enable` }, 'id'] as const,
      ),
      [{ body: { unknown: 1 } }, 'unknown'],
    ],
  });
});
