/** What an operator sees of a service: metrics, probes, documents, request ids. */
import { describe, expect, test } from 'vitest';
import { withApp } from './with-app.ts';
import { onPostgres, onSqlite, withService } from './with-service.ts';

const API = '/api/encryption';
const TOKEN = 'a-token-for-prometheus';

/** The value of one line of `/metrics`. */
function figure(text: string, line: string): number | null {
  const found = text.split('\n').find((one) => one.startsWith(`${line} `));
  return found === undefined ? null : Number(found.slice(line.length + 1));
}

describe('/metrics', () => {
  test.each([
    ['SQLite', onSqlite],
    ['PostgreSQL', onPostgres],
  ] as const)('tells of requests, API keys, keys, runs and schedules on %s', async (_name, place) => {
    await withService(place, { serveEnv: { METRICS_TOKEN: TOKEN, LOG_LEVEL: 'warn' } }, async (service) => {
      const admin = await service.token('root', '--admin');
      for (const days of [3, 20, 90])
        await service.request('POST', `${API}/keys`, { token: admin, body: { name: 'k', expires_in_days: days } });
      await service.request('DELETE', `${API}/keys/3`, { token: admin });
      await service.request('DELETE', `${API}/keys/77`, { token: admin });
      for (const path of ['/one', '/two', '/three?x=1']) await service.request('GET', path);
      await service.request('GET', `${API}/keys`, { token: 'pk_no' });
      const { exitCode } = await service.project.fieldseal('schedule', 'add', 'rotate', '0 3 1 1 *', {
        env: service.env,
      });
      expect(exitCode).toBe(0);
      const { body: text, headers, status } = await service.request('GET', '/metrics', { token: TOKEN });
      expect([status, headers.get('content-type')]).toEqual([200, expect.stringContaining('text/plain')]);
      const value = (line: string) => figure(text, line);
      const count = (labels: string) => value(`fieldseal_http_request_duration_seconds_count{${labels}}`);
      expect(count(`method="POST",route="${API}/keys",status="201"`)).toBe(3);
      expect(count(`method="DELETE",route="${API}/keys/:id",status="200"`)).toBe(1);
      expect(count('method="GET",route="unmatched",status="404"')).toBe(3);
      expect(value('fieldseal_operations_total{operation="api_key_created"}')).toBe(3);
      expect(value('fieldseal_operations_total{operation="api_key_revoked"}')).toBe(1);
      expect(value('fieldseal_authentications_total{credential="none",outcome="refused"}')).toBe(1);
      expect(value('fieldseal_authentications_total{credential="jwt",outcome="accepted"}')).toBe(5);
      expect(value('fieldseal_api_keys{state="active"}')).toBe(2);
      expect(value('fieldseal_api_keys{state="revoked"}')).toBe(1);
      expect(value('fieldseal_api_keys_expiring{within_days="7"}')).toBe(1);
      expect(value('fieldseal_api_keys_expiring{within_days="30"}')).toBe(2);
      expect(value('fieldseal_runs{kind="rotate",status="failed"}')).toBe(0);
      const age = value('fieldseal_key_age_days{purpose="field",version="v1",state="primary"}');
      expect(age).toBeGreaterThanOrEqual(0);
      expect(age).toBeLessThan(1);
      expect(value('fieldseal_audit_unsealed_rows')).toBeGreaterThanOrEqual(0);
      expect(value('fieldseal_schedule_next_timestamp_seconds{schedule="1",kind="rotate"}')).toBeGreaterThan(
        Date.now() / 1000,
      );
      for (const name of ['sweeps', 'keyring', 'api_keys', 'schedules'])
        expect(value(`fieldseal_scrape_errors_total{source="${name}"}`)).toBe(0);
      // Whoever has no token, or another one, reads nothing; nothing below LOG_LEVEL is written.
      expect((await service.request('GET', '/metrics')).status).toBe(401);
      expect((await service.request('GET', '/metrics', { token: `${TOKEN}x` })).status).toBe(401);
      expect(service.output()).not.toContain('"event":"request"');
    });
  });

  test('has the progress of a run that is not over, and nothing of one that is', async () => {
    await withApp({}, async ({ app, token }) => {
      const headers = { authorization: `Bearer ${token}` };
      await app.inject({ method: 'POST', url: `${API}/rotate`, headers });
      const read = async () => (await app.inject('/metrics')).body;
      const text = await read();
      expect(figure(text, 'fieldseal_sweep_records{run="1",kind="rotate",outcome="failed"}')).toBe(0);
      expect(figure(text, 'fieldseal_sweep_driven{run="1",kind="rotate"}')).toBe(0);
      expect(figure(text, 'fieldseal_runs{kind="rotate",status="pending"}')).toBe(1);
      await app.inject({ method: 'POST', url: `${API}/rotations/1/cancel`, headers });
      const after = await read();
      expect(after).not.toContain('run="1"');
      expect(figure(after, 'fieldseal_runs{kind="rotate",status="cancelled"}')).toBe(1);
    });
  });

  test('is for this machine alone where there is no token, and for no request that a proxy passed on', async () => {
    await withApp({}, async ({ app }) => {
      const status = async (remoteAddress: string, headers = {}) =>
        (await app.inject({ url: '/metrics', remoteAddress, headers })).statusCode;
      expect(await status('127.0.0.1')).toBe(200);
      expect(await status('::1')).toBe(200);
      expect(await status('::ffff:127.0.0.1')).toBe(200);
      expect(await status('10.0.0.7')).toBe(404);
      expect(await status('127.0.0.1', { 'x-forwarded-for': '127.0.0.1' })).toBe(404);
      expect(await status('127.0.0.1', { forwarded: 'for=127.0.0.1' })).toBe(404);
      expect(await status('127.0.0.1', { host: '[::1]:8000' })).toBe(200);
      // A page whose name was made to lead here; a proxy that passes the name on.
      for (const host of ['rebound.example', 'localhost.example:8000', '127.0.0.1.example'])
        expect(await status('127.0.0.1', { host })).toBe(404);
    });
    await withApp({ metrics: { enabled: false, token: null } }, async ({ app }) => {
      expect((await app.inject('/metrics')).statusCode).toBe(404);
    });
  });
});

describe('/docs', () => {
  test('shows the description, and loads nothing from elsewhere', async () => {
    await withApp({}, async ({ app }) => {
      const page = await app.inject('/docs');
      expect([page.statusCode, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
      const policy = String(page.headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'; script-src 'self';");
      expect(policy).toContain("connect-src 'self'");
      expect(policy).not.toMatch(/https?:|\*|script-src[^;]*unsafe/);
      const loaded = Array.from(page.body.matchAll(/(?:src|href)="([^"]*)"/g), ([, address]) => address as string);
      expect(loaded.length).toBeGreaterThan(4);
      for (const address of loaded) {
        expect(address).toMatch(/^\/docs\/static\/(theme\/)?[\w.-]+$/);
        expect([address, (await app.inject(address)).statusCode]).toEqual([address, 200]);
      }
      expect(page.body).not.toMatch(/(?:src|href)="?(?:https?:)?\/\//);
      const { body: start } = await app.inject('/docs/static/swagger-initializer.js');
      expect(start).toContain('"validatorUrl":null');
      // What the page shows is what programs read.
      expect((await app.inject('/docs/json')).json()).toEqual((await app.inject('/openapi.json')).json());
      const { paths } = (await app.inject('/openapi.json')).json();
      expect(paths[`${API}/keys`].post.requestBody.required).toBe(true);
      expect(paths[`${API}/rotate`].post.requestBody.required).toBe(false);
      expect(Object.keys(paths).filter((path) => !path.startsWith(API))).toEqual([]);
      // No other answer may do what the page may.
      expect(String((await app.inject('/healthz')).headers['content-security-policy'])).toContain("default-src 'none'");
    });
  });

  test('is not there where it is turned off', async () => {
    await withApp({ hasDocs: false }, async ({ app }) => {
      for (const path of ['/docs', '/docs/', '/docs/json', '/docs/static/swagger-ui.css'])
        expect((await app.inject(path)).statusCode).toBe(404);
      expect((await app.inject('/openapi.json')).statusCode).toBe(200);
    });
  });
});

describe('the id of a request', () => {
  const GIVEN = '6f1c2a52-7d5b-4b7e-9a55-0c0ffee0c0de';

  test('is our own, in the answer, in the problem, in the log and in the audit row', async () => {
    await withApp({}, async ({ app, token, log: lines }) => {
      const headers = { authorization: `Bearer ${token}`, 'x-request-id': GIVEN };
      const answer = await app.inject({ method: 'DELETE', url: `${API}/keys/9`, headers });
      const id = String(answer.headers['x-request-id']);
      expect(id).toMatch(/^[0-9a-f]{24}$/);
      expect(answer.json().instance).toBe(`urn:fieldseal:request:${id}`);
      expect(lines.find(({ event }) => event === 'request')).toMatchObject({ requestId: id, status: 404 });
    });
  });

  test('is that of a trusted proxy, if it is one', async () => {
    await withApp({ trustedProxies: ['10.0.0.0/8', '::1', '192.168.1.1'] }, async ({ app }) => {
      const id = async (remoteAddress: string, given: string) =>
        (await app.inject({ url: '/healthz', remoteAddress, headers: { 'x-request-id': given } })).headers[
          'x-request-id'
        ];
      for (const proxy of ['10.1.2.3', '::1', '192.168.1.1', '::ffff:10.1.2.3'])
        expect(await id(proxy, GIVEN)).toBe(GIVEN);
      for (const other of ['11.1.2.3', '192.168.1.2', '127.0.0.1', '::2'])
        expect(await id(other, GIVEN)).not.toBe(GIVEN);
      for (const odd of ['short', 'x'.repeat(65), 'with space', '"quoted"', 'pk_abc123_0000000000000000'])
        expect(await id('10.1.2.3', odd)).toMatch(/^[0-9a-f]{24}$/);
    });
  });
});

describe('/readyz', () => {
  test('is 503 once the process was asked to end, while requests are answered', async () => {
    let isDraining = false;
    await withApp({ isDraining: () => isDraining }, async ({ app, token }) => {
      const statuses = async () =>
        Promise.all(
          ['/readyz', '/healthz', `${API}/keys`].map(
            async (url) => (await app.inject({ url, headers: { authorization: `Bearer ${token}` } })).statusCode,
          ),
        );
      expect(await statuses()).toEqual([200, 200, 200]);
      isDraining = true;
      expect(await statuses()).toEqual([503, 200, 200]);
    });
  });
});
