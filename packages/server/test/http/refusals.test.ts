import { createServer } from 'node:net';
import { Fernet } from 'fieldseal';
import { SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { finishedRotation } from './rotation.ts';
import { onPostgres, onSqlite, type RunningService, withService } from './with-service.ts';

const API = '/api/encryption';
const PLACES = [
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
] as const;

/** The status and the code of an answer, which must be a problem and tell of nothing inside. */
async function refusal(service: RunningService, ...request: Parameters<RunningService['request']>): Promise<string> {
  const { status, body, headers } = await service.request(...request);
  expect(headers.get('content-type')).toContain('application/problem+json');
  expect(body).toMatchObject({ type: 'about:blank', status, detail: expect.any(String) });
  expect(JSON.stringify(body)).not.toMatch(/SELECT|INSERT|node_modules|\.js:|\.ts:/);
  return `${status} ${body.code}`;
}

async function keysOf(service: RunningService, token: string): Promise<unknown[]> {
  return (await service.request('GET', `${API}/keys`, { token })).body;
}

describe.each(PLACES)('on %s', (_name, place) => {
  test('a malformed request for a key is refused with its own code, and makes none', async () => {
    await withService(place, {}, async (service) => {
      const token = await service.token('1');
      const create = (body: unknown, headers = {}) => refusal(service, 'POST', `${API}/keys`, { token, body, headers });
      for (const body of [
        '{"name":',
        '',
        '"text"',
        '[]',
        {},
        { name: '' },
        { name: '   ' },
        { name: 'line\nbreak' },
        { name: 'x'.repeat(256) },
        { name: 7 },
        { name: 'a', expires_in_days: -1 },
        { name: 'a', expires_in_days: 0 },
        { name: 'a', expires_in_days: 3651 },
        { name: 'a', expires_in_days: 1.5 },
        { name: 'a', expires_in_days: '30' },
        { name: 'a', scopes: 'read projects' },
        { name: 'a', scopes: 'read:<script>' },
        { name: 'a', scopes: ['a,b'] },
        { name: 'a', scopes: [''] },
        { name: 'a\u0000b' },
        { name: 'a', unknown: true },
        { name: 'a', user_id: '2' },
      ]) {
        expect([body, await create(body)]).toEqual([body, '400 ERR_INPUT_INVALID']);
      }
      expect(await create('{}', { 'content-type': 'text/plain' })).toBe('415 ERR_MEDIA_TYPE');
      expect(await create({ name: 'x'.repeat(70_000) })).toBe('413 ERR_BODY_TOO_LARGE');
      for (const query of ['limit=0', 'limit=501', 'limit=x', 'unknown=1', 'action=', 'action=%00', 'before=1e300']) {
        expect([query, await refusal(service, 'GET', `${API}/audit-logs?${query}`, { token })]).toEqual([
          query,
          '400 ERR_INPUT_INVALID',
        ]);
      }
      expect(await keysOf(service, token)).toEqual([]);
    });
  });

  test('a token that is missing, expired, unsigned or signed wrongly is refused, and audited', async () => {
    await withService(place, {}, async (service) => {
      const secret = new TextEncoder().encode(service.env['AUTH_JWT_SECRET']);
      const jwt = (claims: object) =>
        new SignJWT({ sub: '1', ...claims } as never).setProtectedHeader({ alg: 'HS256' });
      const hour = Math.floor(Date.now() / 1000) + 3600;
      const tokens = {
        expired: await jwt({})
          .setExpirationTime(hour - 7200)
          .sign(secret),
        withoutEnd: await jwt({}).sign(secret),
        withoutSubject: await new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setExpirationTime(hour).sign(secret),
        otherKey: await jwt({}).setExpirationTime(hour).sign(new TextEncoder().encode(Fernet.generateKey())),
        otherAlgorithm: await new SignJWT({ sub: '1' })
          .setProtectedHeader({ alg: 'HS512' })
          .setExpirationTime(hour)
          .sign(new Uint8Array(64)),
        none: new UnsecuredJWT({ sub: '1', role: 'admin' }).setExpirationTime(hour).encode(),
        notYet: await jwt({})
          .setNotBefore(hour)
          .setExpirationTime(hour + 1)
          .sign(secret),
        noKey: 'pk_abc123_0000000000000000000000000000000',
        rubbish: 'rubbish',
      };
      for (const [name, token] of Object.entries(tokens)) {
        expect([name, await refusal(service, 'GET', `${API}/keys`, { token })]).toEqual([
          name,
          '401 ERR_UNAUTHENTICATED',
        ]);
      }
      const missing = await service.request('GET', `${API}/keys`);
      expect([missing.status, missing.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="fieldseal"']);
      const admin = await service.token('9', '--admin');
      const refused = async () =>
        (await service.request('GET', `${API}/audit-logs?action=request_refused`, { token: admin })).body;
      const first = await refused();
      expect(first.total).toBe(1);
      expect(first.logs[0]).toMatchObject({ user_id: null, status: 'failure', ip_address: '127.0.0.1' });
      // The further ones of the same minute are counted, at the latest when the service ends.
      expect(await service.end('SIGTERM')).toBe(0);
      await service.restart();
      const both = await refused();
      expect(both.total).toBe(2);
      const { body } = await service.request('GET', `${API}/audit-logs/${both.logs[0].id}`, { token: admin });
      expect(body.details).toEqual({
        code: 'ERR_UNAUTHENTICATED',
        method: 'GET',
        route: `${API}/keys`,
        via: 'nobody',
        repeated: { count: Object.keys(tokens).length, from: expect.any(String), to: expect.any(String) },
      });
    });
  });

  test('nobody sees or changes another’s keys and audit rows, and nobody but an admin rotates', async () => {
    await withService(place, {}, async (service) => {
      const [ada, ben, admin] = [
        await service.token('ada'),
        await service.token('ben'),
        await service.token('root', '--admin'),
      ];
      const { body: key } = await service.request('POST', `${API}/keys`, {
        token: ada,
        body: { name: 'Ada’s', scopes: 'x' },
      });
      expect(await keysOf(service, ben)).toEqual([]);
      expect(await keysOf(service, admin)).toHaveLength(1);
      const absent = await service.request('DELETE', `${API}/keys/999999`, { token: ben });
      const others = await service.request('DELETE', `${API}/keys/${key.id}`, { token: ben });
      expect(others.status).toBe(404);
      expect({ ...others.body, instance: '' }).toEqual({ ...absent.body, instance: '' });
      const { body: logs } = await service.request('GET', `${API}/audit-logs`, { token: ben });
      expect(logs.logs.every(({ user_id }: { user_id: string }) => user_id === 'ben')).toBe(true);
      expect(await refusal(service, 'POST', `${API}/rotate`, { token: ben, body: {} })).toBe('403 ERR_FORBIDDEN');
      expect(await refusal(service, 'GET', `${API}/rotation-status/1`, { token: ben })).toBe('403 ERR_FORBIDDEN');
      expect(await refusal(service, 'GET', `${API}/rotation-status/77`, { token: admin })).toBe('404 ERR_NOT_FOUND');
      expect(await refusal(service, 'GET', `${API}/nothing`, { token: admin })).toBe('404 ERR_NOT_FOUND');
      expect(await refusal(service, 'DELETE', `${API}/keys/x`, { token: admin })).toBe('400 ERR_INPUT_INVALID');
      expect(
        (await service.request('DELETE', `${API}/keys/${key.id}`, { token: admin, body: { reason: 'x' } })).status,
      ).toBe(200);
      expect(await refusal(service, 'DELETE', `${API}/keys/${key.id}`, { token: ada })).toBe('409 ERR_API_KEY_REVOKED');
    });
  });

  test('an API key may do what its scopes say, for its owner alone, until it is revoked', async () => {
    await withService(place, {}, async (service) => {
      const admin = await service.token('root', '--admin');
      const user = await service.token('ada');
      const create = async (token: string, scopes: string[]) =>
        service.request('POST', `${API}/keys`, { token, body: { name: 'k', scopes } });
      expect((await create(user, ['keys:read'])).body.code).toBe('ERR_FORBIDDEN');
      expect((await create(user, ['admin'])).body.code).toBe('ERR_FORBIDDEN');
      const { body: writer } = await create(admin, ['keys:read', 'keys:write', 'read:projects']);
      service.project.keepSecret(writer.key);
      expect((await create(writer.key, ['read:projects'])).status).toBe(201);
      expect((await create(writer.key, ['write:projects'])).body.code).toBe('ERR_FORBIDDEN');
      expect((await create(writer.key, ['keys:read'])).body.code).toBe('ERR_FORBIDDEN');
      expect(await refusal(service, 'GET', `${API}/audit-logs`, { token: writer.key })).toBe('403 ERR_FORBIDDEN');
      expect(await refusal(service, 'POST', `${API}/rotate`, { token: writer.key, body: {} })).toBe(
        '403 ERR_FORBIDDEN',
      );
      const lastUsed = async () => {
        const listed = (await keysOf(service, writer.key)) as { id: number; last_used_at: string | null }[];
        return listed.find(({ id }) => id === writer.id)?.last_used_at;
      };
      await expect.poll(lastUsed, { timeout: 20_000 }).toMatch(/Z$/);
      const wrong = `${writer.key.slice(0, -1)}${writer.key.endsWith('0') ? '1' : '0'}`;
      expect(await refusal(service, 'GET', `${API}/keys`, { token: wrong })).toBe('401 ERR_UNAUTHENTICATED');
      await service.request('DELETE', `${API}/keys/${writer.id}`, { token: admin });
      expect(await refusal(service, 'GET', `${API}/keys`, { token: writer.key })).toBe('401 ERR_UNAUTHENTICATED');
    });
  });

  test('a token that names some of the service’s scopes may do just these', async () => {
    await withService(place, {}, async (service) => {
      const reader = await service.token('ada', '--scopes', 'keys:read,projects');
      expect((await service.request('GET', `${API}/keys`, { token: reader })).status).toBe(200);
      expect(await refusal(service, 'POST', `${API}/keys`, { token: reader, body: { name: 'k' } })).toBe(
        '403 ERR_FORBIDDEN',
      );
      expect(await refusal(service, 'GET', `${API}/audit-logs`, { token: reader })).toBe('403 ERR_FORBIDDEN');
      const other = await service.token('ada', '--scopes', 'projects');
      expect((await service.request('POST', `${API}/keys`, { token: other, body: { name: 'k' } })).status).toBe(201);
    });
  });

  test('refusals beyond a hundred in a minute are answered with 429, and all are counted in the audit log', async () => {
    await withService(place, {}, async (service) => {
      const token = await service.token('ada');
      const statuses: number[] = [];
      for (let i = 0; i < 103; i++)
        statuses.push((await service.request('DELETE', `${API}/keys/999`, { token })).status);
      expect(statuses.filter((status) => status === 404)).toHaveLength(100);
      const limited = await service.request('DELETE', `${API}/keys/999`, { token });
      expect([limited.status, limited.body.code]).toEqual([429, 'ERR_RATE_LIMITED']);
      expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
      const rows = async () => (await service.request('GET', `${API}/audit-logs`, { token })).body.logs;
      expect(await rows()).toHaveLength(2);
      await service.end('SIGTERM');
      await service.restart();
      const summed = (await rows()).slice(0, 2);
      const details = await Promise.all(
        summed.map(
          async ({ id }: { id: number }) =>
            (await service.request('GET', `${API}/audit-logs/${id}`, { token })).body.details,
        ),
      );
      expect(details.map(({ code, repeated }) => [code, repeated.count])).toEqual([
        ['ERR_RATE_LIMITED', 3],
        ['ERR_NOT_FOUND', 99],
      ]);
    });
  });

  test('a second rotation waits for the first, and both end at 100 percent', async () => {
    await withService(place, {}, async (service) => {
      const token = await service.token('root', '--admin');
      for (const name of ['a', 'b', 'c']) await service.request('POST', `${API}/keys`, { token, body: { name } });
      const [first, second] = await Promise.all(
        [1, 2].map(() => service.request('POST', `${API}/rotate`, { token, body: {} })),
      );
      expect([first?.status, second?.status].sort()).toEqual([202, 409]);
      const { rotation_id: id } = [first, second].find((answer) => answer?.status === 202)?.body ?? {};
      expect(await finishedRotation(service, id, token)).toMatchObject({
        new_key_version: 'v2',
        total_records: 3,
        rotated_records: 3,
        progress_percent: 100,
      });
      const next = await service.request('POST', `${API}/rotate`, { token, body: { notes: 'again' } });
      expect(await finishedRotation(service, next.body.rotation_id, token)).toMatchObject({
        new_key_version: 'v3',
        progress_percent: 100,
      });
      const verified = await service.project.fieldseal('verify', '--json', { env: service.env });
      expect(verified.last).toMatchObject({
        status: 'completed',
        counts: { total: 3, current: 3 },
        columns: [{ held: { v3: 3 } }],
      });
    });
  });
});

test('what cannot be audited is not done', async () => {
  await withService(onSqlite, {}, async (service) => {
    const [token, admin] = [await service.token('1'), await service.token('2', '--admin')];
    service.project.db((db) =>
      db.exec("CREATE TRIGGER full BEFORE INSERT ON audit_logs BEGIN SELECT RAISE(ABORT, 'no room'); END"),
    );
    expect(await refusal(service, 'POST', `${API}/keys`, { token, body: { name: 'k' } })).toBe('503 ERR_UNAVAILABLE');
    expect(await refusal(service, 'POST', `${API}/rotate`, { token: admin, body: {} })).toBe('503 ERR_UNAVAILABLE');
    // A token that is not written down is not handed out either.
    const unissued = await service.project.fieldseal('jwt', '--user', '3', { env: service.env });
    expect([unissued.exitCode, unissued.stdout]).toEqual([3, '']);
    service.project.db((db) => {
      db.exec('DROP TRIGGER full');
      expect(db.prepare('SELECT count(*) FROM api_keys').pluck().get()).toBe(0);
      expect(db.prepare('SELECT count(*) FROM encryption_key_rotations').pluck().get()).toBe(0);
    });
  });
});

test('the start stops with one clear line for a port in use, a missing secret, and a wrong, malformed or missing key', async () => {
  await withService(onSqlite, {}, async (service) => {
    const { project, env } = service;
    const start = async (changes: Record<string, string | undefined>) => {
      const { exitCode, stderr } = await project.fieldseal('serve', { env: { ...env, PORT: '0', ...changes } });
      expect(stderr.trim().split('\n')).toHaveLength(1);
      return `${exitCode} ${/\[(ERR_\w+)\]/.exec(stderr)?.[1]}`;
    };
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    expect(await start({ PORT: String((taken.address() as { port: number }).port) })).toBe('2 ERR_ADDRESS_IN_USE');
    taken.close();
    expect(await start({ AUTH_JWT_SECRET: undefined })).toBe('2 ERR_CONFIG_INVALID');
    expect(await start({ AUTH_JWT_SECRET: 'short' })).toBe('2 ERR_CONFIG_INVALID');
    expect(await start({ PORT: 'http' })).toBe('2 ERR_CONFIG_INVALID');
    expect(await start({ API_KEY_EXPIRY_DAYS: '-3' })).toBe('2 ERR_CONFIG_INVALID');
    expect(await start({ ENCRYPTION_KEY: undefined })).toBe('2 ERR_KEY_MISSING');
    expect(await start({ ENCRYPTION_KEY: 'lKhZdE6G-6Q8vX2J_p9L_8mK_5nP_7qR_3sT_1uV_9wX_0yZ_2aB_4cD_6eF' })).toBe(
      '2 ERR_KEY_MALFORMED',
    );
    expect(await start({ ENCRYPTION_KEY: Fernet.generateKey() })).toBe('2 ERR_KEYRING_ROOT');
  });
});
