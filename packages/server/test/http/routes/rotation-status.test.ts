/** `GET /rotation-status/:id`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';
import { RESTING, ROTATION_ROUTE, startedRotation, wrongIds } from './rotation-app.ts';

onBothDatabases((app) => {
  test('200 with how far it is', async () => {
    const { id, token } = await startedRotation(app());
    const { status, body } = await app().call('GET', `/rotation-status/${id}`, { token });
    expect([status, body]).toEqual([200, RESTING]);
  });

  test('403 for a user who is no admin, whether it exists or not', async () => {
    const { id } = await startedRotation(app());
    const token = await app().token(freshSubject());
    for (const some of [id, 999_999])
      expect(refusalOf(await app().call('GET', `/rotation-status/${some}`, { token }))).toBe('403 ERR_FORBIDDEN');
  });

  test('404 for none, and for a run of another kind', async () => {
    const token = await app().token(freshSubject(), { isAdmin: true });
    expect(refusalOf(await app().call('GET', '/rotation-status/999999', { token }))).toBe('404 ERR_NOT_FOUND');
    await app().sql("INSERT INTO {t}encryption_key_rotations (id, kind, initiated_by) VALUES (777, 'decrypt', 'cli')");
    expect(refusalOf(await app().call('GET', '/rotation-status/777', { token }))).toBe('404 ERR_NOT_FOUND');
  });

  refusesAsEveryRoute(app, {
    ...ROTATION_ROUTE,
    method: 'GET',
    path: '/rotation-status/999999',
    malformed: wrongIds((id) => `/rotation-status/${id}`),
  });
});
