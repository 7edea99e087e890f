/** `GET /rotations`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { API_PREFIX, freshSubject, onBothDatabases } from '../with-app.ts';
import { LISTED, ROTATION_ROUTE, startedRotation } from './rotation-app.ts';

onBothDatabases((app) => {
  test('200 with rotations, newest first, in pages', async () => {
    const first = await startedRotation(app());
    const { id, token, subject } = await startedRotation(app());
    const { status, body, headers } = await app().call('GET', '/rotations?limit=1', { token });
    expect([status, body]).toEqual([200, [{ ...LISTED, id, initiated_by: subject }]]);
    expect(headers['link']).toBe(`<${API_PREFIX}/rotations?limit=1&before=${id}>; rel="next"`);
    const next = await app().call('GET', `/rotations?before=${id}`, { token });
    expect(next.body[0]).toMatchObject({ id: first.id, rotation_status: 'cancelled' });
  });

  test('403 for a user who is no admin', async () => {
    const token = await app().token(freshSubject());
    expect(refusalOf(await app().call('GET', '/rotations', { token }))).toBe('403 ERR_FORBIDDEN');
  });

  refusesAsEveryRoute(app, {
    ...ROTATION_ROUTE,
    method: 'GET',
    path: '/rotations',
    malformed: [
      [{ path: '/rotations?limit=0' }, 'limit'],
      [{ path: '/rotations?limit=4.7' }, 'limit'],
      [{ path: '/rotations?before=1&before=2' }, 'before'],
      [{ path: '/rotations?unknown=1' }, 'unknown'],
    ],
  });
});
