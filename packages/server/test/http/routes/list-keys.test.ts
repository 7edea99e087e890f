/** `GET /keys`. */
import { expect, test } from 'vitest';
import { refusesAsEveryRoute } from '../every-route.ts';
import { API_PREFIX, freshSubject, onBothDatabases } from '../with-app.ts';

onBothDatabases((app) => {
  test('200 with the caller’s own keys, newest first, in pages', async () => {
    const [token, other] = [await app().token(freshSubject()), await app().token(freshSubject())];
    const made: number[] = [];
    for (const name of ['a', 'b', 'c'])
      made.unshift((await app().call('POST', '/keys', { token, body: { name } })).body.id);
    const ids = async (path: string) => {
      const answer = await app().request('GET', path, { token });
      expect(answer.status).toBe(200);
      return {
        ids: answer.body.map(({ id }: { id: number }) => id),
        next: /<([^>]+)>/.exec(answer.headers['link'] ?? ''),
      };
    };
    const first = await ids(`${API_PREFIX}/keys?limit=2`);
    expect(first.ids).toEqual(made.slice(0, 2));
    expect((await ids(first.next?.[1] as string)).ids).toEqual(made.slice(2));
    expect((await app().call('GET', '/keys', { token: other })).body).toEqual([]);
    expect((await app().call('HEAD', '/keys', { token })).text).toBe('');
  });

  refusesAsEveryRoute(app, {
    method: 'GET',
    path: '/keys',
    scope: 'keys:read',
    table: 'api_keys',
    malformed: [
      ...['0', '501', '-1', '4.7', '0x1', '1e2', '%201', '01', '+1', 'true', '', '9007199254740993'].map(
        (limit) => [{ path: `/keys?limit=${limit}` }, 'limit'] as const,
      ),
      [{ path: '/keys?limit=1&limit=2' }, 'limit'],
      [{ path: '/keys?before=x' }, 'before'],
      [{ path: '/keys?unknown=1' }, 'unknown'],
    ],
  });
});
