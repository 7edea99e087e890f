/** `POST /keys/verify`, in a running service on either database. */
import { describe, expect, test } from 'vitest';
import { issueKey } from '../usecases/with-open-service.js';
import { onPostgres, onSqlite, withSameDatabase, withService } from './with-service.ts';

const KEYS = '/api/encryption/keys';
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const NOT_FOUND = { valid: false, code: 'NOT_FOUND', key_id: null, user_id: null, scopes: null, expires_at: null };

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
])('POST /keys/verify on %s', (_name, place) => {
  test('tells another service whether a key is valid, whose it is and what it may do', async () => {
    await withService(place, {}, async (service) => {
      const [admin, ada] = [await service.token('root', '--admin'), await service.token('42')];
      const create = async (token: string, body: object) => {
        const { body: created } = await service.request('POST', KEYS, { token, body: { name: 'k', ...body } });
        service.project.keepSecret(created.key);
        return created;
      };
      const key = await create(ada, { scopes: 'read:projects,write:sns' });
      const verify = async (body: unknown, token = ada) => service.request('POST', `${KEYS}/verify`, { token, body });

      const answer = await verify({ key: key.key, scopes: 'read:projects' });
      const { valid, code, ...rest } = answer.body;
      expect([answer.status, answer.headers.get('cache-control'), valid, code]).toEqual([
        200,
        'no-store',
        true,
        'VALID',
      ]);
      expect(rest).toEqual({ key_id: key.id, user_id: 42, scopes: ['read:projects', 'write:sns'], expires_at: TIME });
      expect((await verify({ key: key.key, scopes: ['read:projects', 'write:sns'], ip: '::1' })).body.code).toBe(
        'VALID',
      );
      expect((await verify({ key: key.key, scopes: ['delete:keys'] })).body).toEqual({
        ...rest,
        valid: false,
        code: 'INSUFFICIENT_SCOPE',
      });
      const wrong = `${key.key.slice(0, 10)}${'0'.repeat(32)}`;
      for (const text of [wrong, 'rubbish', key.key.slice(0, -1)]) {
        expect(await verify({ key: text })).toMatchObject({ status: 200, body: NOT_FOUND });
      }

      // Who may ask: any user; an API key that an admin has given the scope.
      const asker = await create(admin, { scopes: ['keys:verify'] });
      expect((await verify({ key: key.key }, asker.key)).body.code).toBe('VALID');
      expect((await verify({ key: key.key }, key.key)).body).toMatchObject({ status: 403, code: 'ERR_FORBIDDEN' });
      expect((await create(ada, { scopes: ['keys:verify'] })).code).toBe('ERR_FORBIDDEN');
      expect((await verify({ key: key.key }, await service.token('1', '--scopes', 'keys:read'))).status).toBe(403);
      expect((await verify({ key: key.key }, 'rubbish')).status).toBe(401);
      for (const body of [{}, { key: '' }, { key: 7 }, { key: 'k', ip: 'here' }, { key: 'k', user: 1 }, [], 'x']) {
        expect([body, (await verify(body)).body.code]).toEqual([body, 'ERR_INPUT_INVALID']);
      }

      await withSameDatabase(service, async (same) => {
        const limited = await issueKey(same, { rateLimit: 2, rateWindowSeconds: 3600, userId: 'grace' });
        service.project.keepSecret(limited.key);
        const limits = async () => {
          const { body, headers } = await verify({ key: limited.key });
          return [body.code, ...['ratelimit-policy', 'ratelimit', 'retry-after'].map((name) => headers.get(name))];
        };
        const policy = '"api-key";q=2;w=3600';
        expect(await limits()).toEqual(['VALID', policy, expect.stringMatching(/^"api-key";r=1;t=\d+$/), null]);
        expect(await limits()).toEqual(['VALID', policy, expect.stringMatching(/^"api-key";r=0;t=\d+$/), null]);
        expect(await limits()).toEqual([
          'RATE_LIMITED',
          policy,
          expect.stringMatching(/^"api-key";r=0;t=\d+$/),
          expect.stringMatching(/^[1-9]\d*$/),
        ]);
        // The same limits where a key makes requests of the service itself.
        const own = await service.request('GET', KEYS, { token: limited.key });
        expect([own.status, own.body.code]).toEqual([429, 'ERR_RATE_LIMITED']);
        expect(Number(own.headers.get('retry-after'))).toBeGreaterThan(0);
        const elsewhere = await issueKey(same, { allowedIps: ['192.0.2.0/24'] });
        service.project.keepSecret(elsewhere.key);
        expect((await service.request('GET', KEYS, { token: elsewhere.key })).status).toBe(403);
        expect((await verify({ key: elsewhere.key, ip: '192.0.2.9' })).body.code).toBe('VALID');
        expect((await verify({ key: elsewhere.key })).body.code).toBe('FORBIDDEN_IP');
      });

      await service.request('DELETE', `${KEYS}/${key.id}`, { token: ada });
      // In every other process within a second; where it was made, at once.
      expect((await verify({ key: key.key })).body.code).toBe('REVOKED');
      const listed = async () => (await service.request('GET', KEYS, { token: admin })).body;
      const lastUses = async () => (await listed()).filter(({ id }: { id: number }) => id === asker.id)[0].last_used_at;
      await expect.poll(lastUses, { timeout: 20_000 }).toEqual(TIME);

      const told = JSON.stringify(
        (await service.request('GET', '/api/encryption/audit-logs?limit=500', { token: admin })).body,
      );
      const exported = await service.project.fieldseal('audit', 'export', { env: service.env });
      for (const secret of [key.key, asker.key, wrong]) {
        expect([told.includes(secret), exported.stdout.includes(secret), service.output().includes(secret)]).toEqual([
          false,
          false,
          false,
        ]);
      }
    });
  });
});
