/** `POST /rotations/:id/resume`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';
import { LISTED, ROTATION_ROUTE, startedRotation, wrongIds } from './rotation-app.ts';

onBothDatabases((app) => {
  test('200 and it is to be driven again', async () => {
    const { id, token } = await startedRotation(app());
    await app().call('POST', `/rotations/${id}/pause`, { token });
    const driven = app().rotations.length;
    const { status, body } = await app().call('POST', `/rotations/${id}/resume`, { token });
    expect([status, body]).toEqual([200, { ...LISTED, id }]);
    expect(app().rotations.slice(driven)).toEqual([id]);
  });

  test('403 for a user who is no admin', async () => {
    const { id } = await startedRotation(app());
    const token = await app().token(freshSubject());
    expect(refusalOf(await app().call('POST', `/rotations/${id}/resume`, { token }))).toBe('403 ERR_FORBIDDEN');
  });

  test('404 for none', async () => {
    const token = await app().token(freshSubject(), { isAdmin: true });
    expect(refusalOf(await app().call('POST', '/rotations/999999/resume', { token }))).toBe('404 ERR_NOT_FOUND');
  });

  test('409 when it is over', async () => {
    const { id, token } = await startedRotation(app());
    expect((await app().call('POST', `/rotations/${id}/cancel`, { token })).status).toBe(200);
    expect(refusalOf(await app().call('POST', `/rotations/${id}/resume`, { token }))).toBe('409 ERR_RUN_OVER');
  });

  test('409 while a process drives it', async () => {
    const { id, token } = await startedRotation(app());
    // A lease that somebody holds, on a clock that is no matter of ours.
    expect(await app().service.store.runs.claim(id, 'elsewhere', 3600, false)).not.toBeNull();
    expect(refusalOf(await app().call('POST', `/rotations/${id}/resume`, { token }))).toBe('409 ERR_RUN_DRIVEN');
  });

  refusesAsEveryRoute(app, {
    ...ROTATION_ROUTE,
    method: 'POST',
    path: '/rotations/999999/resume',
    body: {},
    malformed: [
      ...wrongIds((id) => `/rotations/${id}/resume`),
      [{ body: { unknown: 1 } }, 'unknown'],
      [{ body: '[]' }, 'body'],
    ],
  });
});
