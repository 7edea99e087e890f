/** `POST /rotations/:id/cancel`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';
import { LISTED, ROTATION_ROUTE, startedRotation, wrongIds } from './rotation-app.ts';

onBothDatabases((app) => {
  test('200 and it is over', async () => {
    const { id, token } = await startedRotation(app());
    const { status, body } = await app().call('POST', `/rotations/${id}/cancel`, { token });
    expect([status, body]).toEqual([
      200,
      { ...LISTED, id, rotation_status: 'cancelled', waits_because: null, completed_at: expect.any(String) },
    ]);
  });

  test('403 for a user who is no admin', async () => {
    const { id } = await startedRotation(app());
    const token = await app().token(freshSubject());
    expect(refusalOf(await app().call('POST', `/rotations/${id}/cancel`, { token }))).toBe('403 ERR_FORBIDDEN');
  });

  test('404 for none', async () => {
    const token = await app().token(freshSubject(), { isAdmin: true });
    expect(refusalOf(await app().call('POST', '/rotations/999999/cancel', { token }))).toBe('404 ERR_NOT_FOUND');
  });

  test('409 when it is over', async () => {
    const { id, token } = await startedRotation(app());
    expect((await app().call('POST', `/rotations/${id}/cancel`, { token })).status).toBe(200);
    expect(refusalOf(await app().call('POST', `/rotations/${id}/cancel`, { token }))).toBe('409 ERR_RUN_OVER');
  });

  refusesAsEveryRoute(app, {
    ...ROTATION_ROUTE,
    method: 'POST',
    path: '/rotations/999999/cancel',
    body: {},
    malformed: [
      ...wrongIds((id) => `/rotations/${id}/cancel`),
      [{ body: { unknown: 1 } }, 'unknown'],
      [{ body: '[]' }, 'body'],
    ],
  });
});
