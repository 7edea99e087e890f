/** `POST /rotations/:id/pause`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';
import { LISTED, ROTATION_ROUTE, startedRotation, wrongIds } from './rotation-app.ts';

onBothDatabases((app) => {
  test('200 and it rests', async () => {
    const { id, token } = await startedRotation(app());
    const { status, body } = await app().call('POST', `/rotations/${id}/pause`, { token });
    expect([status, body]).toEqual([
      200,
      { ...LISTED, id, rotation_status: 'paused', waits_because: 'Somebody paused it.' },
    ]);
  });

  test('403 for a user who is no admin', async () => {
    const { id } = await startedRotation(app());
    const token = await app().token(freshSubject());
    expect(refusalOf(await app().call('POST', `/rotations/${id}/pause`, { token }))).toBe('403 ERR_FORBIDDEN');
  });

  test('404 for none', async () => {
    const token = await app().token(freshSubject(), { isAdmin: true });
    expect(refusalOf(await app().call('POST', '/rotations/999999/pause', { token }))).toBe('404 ERR_NOT_FOUND');
  });

  test('409 when it is over', async () => {
    const { id, token } = await startedRotation(app());
    expect((await app().call('POST', `/rotations/${id}/cancel`, { token })).status).toBe(200);
    expect(refusalOf(await app().call('POST', `/rotations/${id}/pause`, { token }))).toBe('409 ERR_RUN_OVER');
  });

  refusesAsEveryRoute(app, {
    ...ROTATION_ROUTE,
    method: 'POST',
    path: '/rotations/999999/pause',
    body: {},
    malformed: [
      ...wrongIds((id) => `/rotations/${id}/pause`),
      [{ body: { unknown: 1 } }, 'unknown'],
      [{ body: '[]' }, 'body'],
    ],
  });
});
