/** `GET /keys/:id`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';

onBothDatabases((app) => {
  test('200 with all that is known of the key, and never the key', async () => {
    const subject = freshSubject();
    const token = await app().token(subject);
    const { id, key } = await app().makeKey(token, { rate_limit: 5, rate_window_seconds: 60, metadata: { team: 'a' } });
    const { status, body, text } = await app().call('GET', `/keys/${id}`, { token });
    expect(status).toBe(200);
    expect(body).toMatchObject({ id, user_id: subject, state: 'active', rate_limit: 5, metadata: { team: 'a' } });
    expect(text).not.toContain(key);
  });

  test('404 for another’s key, as for none', async () => {
    const { id } = await app().makeKey(await app().token(freshSubject()));
    const token = await app().token(freshSubject());
    for (const other of [id, 999_999])
      expect(refusalOf(await app().call('GET', `/keys/${other}`, { token }))).toBe('404 ERR_NOT_FOUND');
  });

  refusesAsEveryRoute(app, {
    method: 'GET',
    path: '/keys/999999',
    scope: 'keys:read',
    table: 'api_keys',
    malformed: [
      ...['x', '0', '-1', '4.7', '0x1', '01', '9007199254740992'].map((id) => [{ path: `/keys/${id}` }, 'id'] as const),
    ],
  });
});
