/** Nobody sees another's key or row, on any route of the description, by any id that there is. */
import { expect, test } from 'vitest';
import { operationsOf } from './openapi-document.ts';
import { type AppPlace, appOnPostgres, appOnSqlite } from './with-app.ts';

test.each([
  ['SQLite', appOnSqlite],
  ['PostgreSQL', appOnPostgres],
] as [string, AppPlace][])(
  'on %s, a user who walks every route with another’s ids gets nothing of theirs',
  (_name, place) =>
    place({ limits: { requestsPerMinute: 0, refusalsPerMinute: 100_000 } }, async (app) => {
      // The owner's words and ids: none of them may come back to anybody else.
      const owner = 'owner-7f3a';
      const token = await app.token(owner);
      const made: { id: number; prefix: string }[] = [];
      for (const name of ['secret-name-1', 'secret-name-2'])
        made.push((await app.call('POST', '/keys', { token, body: { name, scopes: 'secret:scope' } })).body);
      await app.call('DELETE', `/keys/${made[1]?.id}`, { token, body: { reason: 'secret-reason' } });
      const admin = await app.token('root', { isAdmin: true });
      const { body: rotation } = await app.call('POST', '/rotate', { token: admin, body: { notes: 'secret-notes' } });
      const traces = [owner, 'secret-', 'secret:scope', ...made.map(({ prefix }) => prefix)];
      const before = (await app.call('GET', '/keys', { token })).text;

      const ids = [...made.map(({ id }) => id), rotation.rotation_id, 999_999];
      const intruders = [
        await app.token('intruder'),
        await app.token('intruder', { scopes: ['keys:read', 'keys:write', 'audit:read'] }),
        await app.apiKey('intruder', ['keys:read', 'keys:write', 'audit:read']),
      ];
      const operations = await operationsOf(app);
      let answered = 0;
      for (const { method, path, parameters = [] } of operations) {
        const queries = [
          '',
          ...parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => `?${name}=${made[0]?.id}`),
        ];
        for (const intruder of intruders) {
          for (const id of path.includes('{') ? ids : [0]) {
            for (const query of queries) {
              const url = path.replace(/\{\w+\}/g, String(id)) + query;
              // One that makes a key does, so that intruders have rows of their own.
              const body = method === 'GET' ? undefined : path.endsWith('/keys') ? { name: 'mine' } : {};
              const answer = await app.request(method, url, { token: intruder, body });
              answered += 1;
              for (const trace of traces)
                expect([method, url, answer.text]).not.toEqual([method, url, expect.stringContaining(trace)]);
              // What a body must have is the affair of each route's own test, so 400 will do.
              if (path.includes('{')) expect([400, 403, 404]).toContain(answer.status);
            }
          }
        }
      }
      expect(answered).toBeGreaterThan(100);
      expect((await app.call('GET', '/keys', { token })).text).toBe(before);
      const rows = await app.call('GET', '/audit-logs?limit=500', { token: intruders[0] as string });
      expect(new Set(rows.body.logs.map(({ user_id: user }: { user_id: string }) => user))).toEqual(
        new Set(['intruder']),
      );
    }),
);
