import { expect, test } from 'vitest';
import { onSqlite, type RunningService, withService } from './with-service.ts';

const API = '/api/encryption';
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const LIMITS = {
  allowed_ips: ['10.0.0.0/8', '127.0.0.1'],
  rate_limit: 1000,
  rate_window_seconds: 60,
  quota: 100_000,
  metadata: { team: 'billing', nested: { deep: [1, 'two', null, { three: true }] } },
};

test('API keys are shown, changed, rerolled, disabled and paged over HTTP', async () => {
  await withService(onSqlite, {}, async (service: RunningService) => {
    const token = await service.token('1');
    const stranger = await service.token('2');
    const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      service.request(method, `${API}${path}`, { token, body, headers });

    // What the guide's call answers has the guide's fields, whatever was given.
    const idempotent = { 'idempotency-key': 'create one' };
    const input = { name: 'CI', scopes: 'read:a', expires_in_days: 7, ...LIMITS };
    const created = await call('POST', '/keys', input, idempotent);
    expect([created.status, created.headers.get('idempotency-replayed')]).toEqual([201, null]);
    const { key, ...row } = created.body;
    expect(Object.keys(created.body).sort()).toEqual(
      ['created_at', 'expires_at', 'id', 'is_active', 'key', 'name', 'prefix', 'scopes'].sort(),
    );
    const replayed = await call('POST', '/keys', input, idempotent);
    expect([replayed.status, replayed.headers.get('idempotency-replayed')]).toEqual([200, 'true']);
    expect(replayed.body).toEqual({ ...row, key: null });
    const otherBody = await call('POST', '/keys', { name: 'other' }, idempotent);
    expect([otherBody.status, otherBody.body.code]).toEqual([422, 'ERR_IDEMPOTENCY_MISMATCH']);
    expect((await call('POST', '/keys', input, { 'idempotency-key': 'x'.repeat(256) })).status).toBe(400);

    const shown = await call('GET', '/keys/1');
    expect(shown).toMatchObject({ status: 200 });
    expect(shown.body).toEqual({
      ...row,
      last_used_at: null,
      user_id: 1,
      state: 'active',
      ...LIMITS,
      ...{ disabled_at: null, disabled_by: null, revoked_at: null, revoked_by: null, revoked_reason: null },
      rerolled_from: null,
    });

    const changed = await call('PATCH', '/keys/1', { name: 'CI 2', allowed_ips: ['::1/128'], metadata: null });
    expect([changed.status, changed.body]).toEqual([
      200,
      { ...shown.body, name: 'CI 2', allowed_ips: ['::1'], metadata: null },
    ]);
    for (const body of [
      {},
      [],
      { scopes: 'a' },
      { quota: '5' },
      { rate_limit: null, rate_window_seconds: 5 },
      { metadata: 'x' },
    ])
      expect([body, (await call('PATCH', '/keys/1', body)).body.code]).toEqual([body, 'ERR_INPUT_INVALID']);
    await call('PATCH', '/keys/1', { quota: null });

    const disabled = await call('POST', '/keys/1/disable');
    expect(disabled.body).toMatchObject({ state: 'disabled', is_active: false, disabled_at: TIME, disabled_by: 1 });
    expect((await service.request('GET', `${API}/keys`, { token: key })).status).toBe(401);
    const twice = await call('POST', '/keys/1/disable');
    expect([twice.status, twice.body.code]).toEqual([409, 'ERR_API_KEY_STATE']);
    expect((await call('POST', '/keys/1/enable', { why: 'x' })).status).toBe(400);
    expect((await call('POST', '/keys/1/enable')).body).toMatchObject({ state: 'active', is_active: true });

    const once = { 'idempotency-key': 'reroll one' };
    const rerolled = await call('POST', '/keys/1/reroll', { grace_seconds: 60 }, once);
    expect([rerolled.status, rerolled.body]).toEqual([
      201,
      {
        ...changed.body,
        ...{ id: 2, quota: null, rerolled_from: 1 },
        key: expect.stringMatching(/^pk_[0-9A-Za-z]{6}_[0-9A-Za-z]{32}$/),
        prefix: rerolled.body.key.slice(0, 9),
        ...{ created_at: TIME, expires_at: TIME, previous_expires_at: TIME },
      },
    ]);
    const again = await call('POST', '/keys/1/reroll', { grace_seconds: 60 }, once);
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 'true']);
    expect(again.body).toEqual({ ...rerolled.body, key: null });
    expect((await call('POST', '/keys/1/reroll', { grace_seconds: 60 })).body.code).toBe('ERR_API_KEY_STATE');
    expect((await call('POST', '/keys/2/reroll', { grace_seconds: -1 })).status).toBe(400);

    // Another's key is no key, on every route.
    for (const [method, path, body] of [
      ['GET', '/keys/1', undefined],
      ['PATCH', '/keys/1', { name: 'mine' }],
      ['POST', '/keys/1/reroll', {}],
      ['POST', '/keys/1/disable', {}],
      ['POST', '/keys/1/enable', {}],
      ['DELETE', '/keys/1', {}],
    ] as const) {
      const options = { token: stranger, body };
      const refused = await service.request(method, `${API}${path}`, options);
      const absent = await service.request(method, `${API}${path.replace('1', '99')}`, options);
      const bare = ({ instance: _, ...problem }: Record<string, unknown>) => problem;
      expect([method, path, refused.status, refused.body.code]).toEqual([method, path, 404, 'ERR_NOT_FOUND']);
      expect(bare(refused.body)).toEqual(bare(absent.body));
    }

    // The next page has the filters of this one.
    await call('POST', '/keys', { name: 'third' });
    const seen: number[] = [];
    let next: string | undefined = `${API}/keys?state=active&expires_after=2020-01-01T00:00:00%2B01:00&limit=1`;
    while (next !== undefined) {
      const page = await service.request('GET', next, { token });
      expect(page.status).toBe(200);
      seen.push(...page.body.map(({ id }: { id: number }) => id));
      next = /^<([^>]+)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1];
      if (next) expect(next).toContain('state=active&expires_after=2020-01-01T00%3A00%3A00%2B01%3A00');
    }
    expect(seen).toEqual([3, 2, 1]);
    expect((await call('GET', `/keys?prefix=${row.prefix}`)).body.map(({ id }: { id: number }) => id)).toEqual([1]);
    for (const query of [
      'limit=4.7',
      'limit=0x1',
      'limit=1&limit=2',
      'limit=',
      'limit=true',
      'before=01',
      'before=9007199254740993',
      'state=gone',
      'state=active&state=active',
      'prefix=',
      'expires_before=tomorrow',
      'expires_before=0000-01-01T00:00:00Z',
      'unknown=1',
    ]) {
      const { status, body } = await call('GET', `/keys?${query}`);
      expect([query, status, body.code]).toEqual([query, 400, 'ERR_INPUT_INVALID']);
    }
    for (const secret of [key, rerolled.body.key]) expect(service.output()).not.toContain(secret);
  });
});
