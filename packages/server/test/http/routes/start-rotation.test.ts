/** `POST /rotate`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { appOnSqlite, freshSubject, onBothDatabases } from '../with-app.ts';
import { cancelAll, ROTATION_ROUTE, startedRotation } from './rotation-app.ts';

onBothDatabases((app) => {
  test('202 and it is to be driven; 409 while it is under way', async () => {
    await cancelAll(app());
    const token = await app().token(freshSubject(), { isAdmin: true });
    const { status, body } = await app().call('POST', '/rotate', { token, body: {} });
    expect([status, body]).toEqual([
      202,
      { rotation_id: expect.any(Number), status: 'pending', message: 'Key rotation initiated' },
    ]);
    expect(app().rotations.at(-1)).toBe(body.rotation_id);
    const driven = app().rotations.length;
    expect(refusalOf(await app().call('POST', '/rotate', { token }))).toBe('409 ERR_RUN_UNFINISHED');
    expect(app().rotations).toHaveLength(driven);
  });

  test('202 for an API key with the scope; 403 for a user who is no admin', async () => {
    await cancelAll(app());
    const key = await app().apiKey(freshSubject(), ['rotation:write']);
    expect((await app().call('POST', '/rotate', { token: key })).status).toBe(202);
    const user = await app().token(freshSubject());
    expect(refusalOf(await app().call('POST', '/rotate', { token: user }))).toBe('403 ERR_FORBIDDEN');
  });

  test('two at once make one rotation', async () => {
    await startedRotation(app());
    await cancelAll(app());
    const token = await app().token(freshSubject(), { isAdmin: true });
    const answers = await Promise.all([1, 2, 3].map(() => app().call('POST', '/rotate', { token, body: {} })));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409]);
  });

  refusesAsEveryRoute(app, {
    ...ROTATION_ROUTE,
    method: 'POST',
    path: '/rotate',
    body: {},
    malformed: [
      [{ body: { notes: 7 } }, 'notes'],
      [{ body: { notes: 'a\u0000b' } }, 'notes'],
      [{ body: { notes: 'x'.repeat(1001) } }, 'notes'],
      [{ body: { unknown: 1 } }, 'unknown'],
      [{ body: '"text"' }, 'body'],
    ],
  });
});

test('409 where processes know only the keys that they are given', () =>
  appOnSqlite({ rotationKeys: 'env' }, async (app) => {
    const token = await app.token('root', { isAdmin: true });
    expect(refusalOf(await app.call('POST', '/rotate', { token }))).toBe('409 ERR_ROTATE_ENV_KEYS');
  }));
