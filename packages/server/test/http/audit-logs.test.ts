import { describe, expect, test } from 'vitest';
import { onPostgres, onSqlite, type RunningService, withService } from './with-service.ts';

const LOGS = '/api/encryption/audit-logs';

/** Follows `Link` from page to page. */
async function pages(service: RunningService, path: string, token: string): Promise<number[][]> {
  const ids: number[][] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const { status, body, headers } = await service.request('GET', next, { token });
    expect(status).toBe(200);
    ids.push(body.logs.map(({ id }: { id: number }) => id));
    next = /^<(\S+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1];
  }
  return ids;
}

async function text(service: RunningService, path: string, token: string) {
  const response = await fetch(`${service.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
])('the routes of the audit log on %s', (_name, place) => {
  test('answer in every way that they can', async () => {
    await withService(place, {}, async (service) => {
      const [ada, ben, admin] = [
        await service.token('ada'),
        await service.token('7'),
        await service.token('root', '--admin'),
      ];
      const narrow = await service.token('ada', '--scopes', 'keys:read');
      const code = async (...request: Parameters<RunningService['request']>) => {
        const { status, body } = await service.request(...request);
        return `${status} ${body?.code}`;
      };
      for (let count = 0; count < 5; count++) {
        const token = count < 3 ? ada : ben;
        await service.request('POST', '/api/encryption/keys', { token, body: { name: `k${count}` } });
      }

      // GET /audit-logs: pages keep the filters, and total is of them all.
      const filtered = await pages(service, `${LOGS}?limit=2&action=api_key_created&user_id=ada&status=success`, admin);
      expect(filtered.map((ids) => ids.length)).toEqual([2, 1]);
      const { body: first } = await service.request('GET', `${LOGS}?limit=1`, { token: ada });
      expect(first).toEqual({ total: 3, logs: [expect.objectContaining({ action: 'api_key_created' })] });
      const total = async (query: string, token = admin) =>
        (await service.request('GET', `${LOGS}?${query}`, { token })).body.total;
      expect(await total('action=api_key_created&resource_id=4&resource_type=api_key')).toBe(1);
      expect(await total('action=api_key_created&ip=127.0.0.1&from=2020-01-01T00:00:00Z')).toBe(5);
      expect(await total('action=api_key_created&ip=127.0.0.2')).toBe(0);
      expect(await total('action=api_key_created&until=2020-01-01T01:00:00%2B01:00')).toBe(0);
      expect(await total('user_id=7', ben)).toBe(2);
      for (const query of [
        ...['limit=4.7', 'limit=0x1', 'limit=1e2', 'limit=', 'limit=%201', 'limit=1&limit=2', 'before=-1', 'before=0'],
        ...['action=a&action=b', 'status=maybe', 'from=yesterday', 'from=2026-99-01T00:00:00Z', 'user_id=%00', 'ip=x'],
        ...['__proto__=1', 'offset=1'],
      ]) {
        expect([query, await code('GET', `${LOGS}?${query}`, { token: admin })]).toEqual([
          query,
          '400 ERR_INPUT_INVALID',
        ]);
      }
      expect(await code('GET', LOGS)).toBe('401 ERR_UNAUTHENTICATED');
      expect(await code('GET', LOGS, { token: narrow })).toBe('403 ERR_FORBIDDEN');
      expect(await code('GET', `${LOGS}?user_id=ada`, { token: ben })).toBe('403 ERR_FORBIDDEN');

      // GET /audit-logs/:id: with details; another's is as one that is not there.
      const id = first.logs[0].id;
      const { body: one } = await service.request('GET', `${LOGS}/${id}`, { token: ada });
      expect(one).toEqual({
        ...first.logs[0],
        details: expect.objectContaining({ prefix: expect.any(String) }),
        request_id: expect.any(String),
        user_agent: 'node',
      });
      expect((await service.request('GET', `${LOGS}/${id}`, { token: admin })).body).toEqual(one);
      expect(await code('GET', `${LOGS}/${id}`, { token: ben })).toBe('404 ERR_NOT_FOUND');
      expect(await code('GET', `${LOGS}/999999`, { token: admin })).toBe('404 ERR_NOT_FOUND');
      for (const wrong of ['4.7', '0x1', '0', 'x', '9'.repeat(30)])
        expect(await code('GET', `${LOGS}/${wrong}`, { token: admin })).toBe('400 ERR_INPUT_INVALID');
      expect(await code('GET', `${LOGS}/${id}`)).toBe('401 ERR_UNAUTHENTICATED');
      expect(await code('GET', `${LOGS}/${id}`, { token: narrow })).toBe('403 ERR_FORBIDDEN');

      // GET /audit-logs/export
      const own = await text(service, `${LOGS}/export?action=api_key_created`, ada);
      expect([own.status, own.type]).toEqual([200, 'application/x-ndjson']);
      expect(
        own.text
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line).user_id),
      ).toEqual(['ada', 'ada', 'ada']);
      const csv = await text(service, `${LOGS}/export?format=csv&action=api_key_created`, admin);
      expect([csv.status, csv.type]).toEqual([200, 'text/csv; charset=utf-8; header=present']);
      expect(csv.text.trimEnd().split('\r\n')).toHaveLength(6);
      expect(await total('action=audit_exported')).toBe(2);
      expect(await code('GET', `${LOGS}/export?format=xml`, { token: ada })).toBe('400 ERR_INPUT_INVALID');
      expect(await code('GET', `${LOGS}/export?format=csv&format=csv`, { token: ada })).toBe('400 ERR_INPUT_INVALID');
      expect(await code('GET', `${LOGS}/export`)).toBe('401 ERR_UNAUTHENTICATED');
      expect(await code('GET', `${LOGS}/export?user_id=ada`, { token: ben })).toBe('403 ERR_FORBIDDEN');

      // POST /audit-logs/search: the value is in the body alone, and nowhere afterwards.
      service.project.keepSecret('ada@example.com');
      const search = (body: unknown, token?: string) =>
        service.request('POST', `${LOGS}/search`, { ...(token !== undefined && { token }), body });
      const value = { name: 'email', value: 'ada@example.com' };
      expect(await search(value, admin)).toMatchObject({ status: 200, body: { total: 0, logs: [] } });
      expect(await total('action=audit_searched')).toBe(1);
      for (const body of [{}, { ...value, name: 'e mail' }, { ...value, value: '' }, { ...value, limit: '1' }, '{'])
        expect((await search(body, admin)).status).toBe(400);
      expect((await search(value)).status).toBe(401);
      expect((await search(value, narrow)).status).toBe(403);
      expect(await service.end('SIGTERM')).toBe(0);
      expect(service.output()).not.toContain('ada@example.com');
    });
  });
});
