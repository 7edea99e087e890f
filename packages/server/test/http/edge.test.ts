/** What holds before any route: headers, addresses, origins, sockets. */

import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { jwtSettings } from '../../src/usecases/principals.ts';
import { AUDIENCE, ISSUER, providerKey, providerToken, withKeySet } from '../auth/with-key-set.ts';
import { refusalOf } from './every-route.ts';
import { API_PREFIX, type AppUnderTest, appOnSqlite } from './with-app.ts';

/** Sends bytes to the listening application and reads until it closes. */
async function raw({ app }: AppUnderTest, ...chunks: string[]): Promise<string> {
  const { port } = app.server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => {
      for (const chunk of chunks) socket.write(chunk);
    });
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

/** The status, the headers and the problem of a raw answer. */
function readRaw(text: string) {
  const [head = '', body = ''] = text.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), head: head.toLowerCase(), body: JSON.parse(body) };
}

const CLOSE = 'Connection: close\r\n';

describe('credentials', () => {
  test('in an address are refused, repeated nowhere, and not logged', () =>
    appOnSqlite({}, async (app) => {
      const token = await app.token('ada');
      const key = await app.apiKey('ada', ['keys:read']);
      const refusedQueries = [
        `access_token=${token}`,
        `token=abc123secret`,
        `api_key=abc123secret`,
        `API-Key=abc123secret`,
        `x-api-key=abc123secret`,
        `key=abc123secret`,
        `limit=1&password=abc123secret`,
        `action=${token}`,
        `action=${key}`,
        `action=see:${key}.`,
        `${key}=1`,
        `action=a&action=${encodeURIComponent(token)}`,
        `action=${[...key].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')}`,
      ];
      for (const query of refusedQueries) {
        for (const path of [`${API_PREFIX}/audit-logs`, `${API_PREFIX}/nothing`, '/openapi.json', '/healthz']) {
          const answer = await app.request('GET', `${path}?${query}`, { token });
          expect([query, path, refusalOf(answer)]).toEqual([query, path, '400 ERR_INPUT_INVALID']);
          expect(answer.headers['www-authenticate']).toContain('error="invalid_request"');
          for (const secret of [token, key, 'abc123secret']) expect(answer.text).not.toContain(secret);
        }
      }
      expect((await app.call('GET', '/audit-logs?action=api_key_created', { token })).status).toBe(200);
      // A key in the path is not repeated either.
      await app.call('DELETE', `/keys/${key}`, { token });
      const log = JSON.stringify(app.log);
      for (const secret of [token, key, 'abc123secret', 'limit=', 'access_token']) expect(log).not.toContain(secret);
      expect(app.log.at(-1)).toMatchObject({ event: 'request', route: `${API_PREFIX}/keys/:id`, status: 400 });
    }));

  test('that are there twice are refused', () =>
    appOnSqlite({}, async (app) => {
      await app.app.listen({ host: '127.0.0.1', port: 0 });
      const token = await app.token('ada');
      const header = `Authorization: Bearer ${token}\r\n`;
      const get = (headers: string) => `GET ${API_PREFIX}/keys HTTP/1.1\r\nHost: a\r\n${CLOSE}${headers}\r\n`;
      expect(readRaw(await raw(app, get(header))).status).toBe(200);
      const twice = readRaw(await raw(app, get(header + header.toUpperCase().replace('HTTP', 'http'))));
      expect([twice.status, twice.body.code]).toEqual([400, 'ERR_INPUT_INVALID']);
      expect(twice.head).toContain('error="invalid_request"');
    }));

  test('that have expired are said to have, and nothing else is said of others', () =>
    appOnSqlite({}, async (app) => {
      const challenge = async (token: string) =>
        (await app.call('GET', '/keys', { token })).headers['www-authenticate'];
      expect(await challenge('a.b.c')).toBe(
        'Bearer realm="fieldseal", error="invalid_token", error_description="The token is not valid."',
      );
      const basic = await app.call('GET', '/keys', { headers: { authorization: 'Basic YTpi' } });
      expect(basic.headers['www-authenticate']).toBe('Bearer realm="fieldseal"');
    }));
});

describe('the keys of an identity provider', () => {
  test('let its users in, and while they cannot be had the answer is 503 and never 401', () =>
    withKeySet(async (endpoint) => {
      const key = await providerKey('ES256', 'a');
      const variables = { secret: undefined, jwksUrl: endpoint.url, issuer: ISSUER, audience: AUDIENCE };
      await appOnSqlite({ jwt: jwtSettings(variables) }, async (app) => {
        const token = await providerToken(key, { role: 'admin' });
        endpoint.answer = (response) => response.writeHead(503).end();
        const down = await app.call('GET', '/rotations', { token });
        expect(refusalOf(down)).toBe('503 ERR_UNAVAILABLE');
        expect(Number(down.headers['retry-after'])).toBeGreaterThan(0);
        expect(app.log).toContainEqual({ level: 'warn', event: 'jwks_not_fetched', reason: 'it answers 503' });
      });
      endpoint.publish(key);
      await appOnSqlite({ jwt: jwtSettings(variables) }, async (app) => {
        const token = await providerToken(key, { role: 'admin' });
        expect((await app.call('GET', '/rotations', { token })).status).toBe(200);
        // A token under a shared secret has no place here.
        expect(refusalOf(await app.call('GET', '/rotations', { token: await app.token('ada') }))).toBe(
          '401 ERR_UNAUTHENTICATED',
        );
      });
    }));
});

describe('limits', () => {
  test('of an address count requests without valid credentials, of IPv6 by network, and leave probes alone', () =>
    appOnSqlite({ limits: { requestsPerMinute: 3 } }, async (app) => {
      const statuses = async (...from: string[]) => {
        const all: number[] = [];
        for (const address of from)
          all.push((await app.call('GET', '/keys', { token: 'rubbish', from: address })).status);
        return all;
      };
      expect(await statuses('192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.1')).toEqual([401, 401, 401, 429]);
      expect(await statuses('192.0.2.2')).toEqual([401]);
      const same = ['2001:db8::1', '2001:db8:0:0:1::', '2001:db8:0::3', '2001:db8::4'];
      expect(await statuses(...same, '2001:db8:0:1::4')).toEqual([401, 401, 401, 429, 401]);
      // A user behind that address is not kept out, and a user of the address's name is somebody else.
      expect((await app.call('GET', '/keys', { token: await app.token('192.0.2.1'), from: '192.0.2.1' })).status).toBe(
        200,
      );
      for (let i = 0; i < 6; i++)
        expect((await app.request('GET', '/healthz', { from: '192.0.2.1' })).status).toBe(200);
      const nothing = await app.request('GET', '/nothing', { from: '192.0.2.1' });
      expect(refusalOf(nothing)).toBe('429 ERR_RATE_LIMITED');
    }));

  test('of requests can be turned off, and those of refusals stay', () =>
    appOnSqlite({ limits: { requestsPerMinute: 0, refusalsPerMinute: 2 } }, async (app) => {
      const token = await app.token('ada');
      const first = await app.call('GET', '/keys', { token });
      expect([first.status, first.headers['ratelimit-limit']]).toEqual([200, undefined]);
      const statuses: number[] = [];
      for (let i = 0; i < 4; i++) statuses.push((await app.call('DELETE', '/keys/9', { token })).status);
      expect(statuses).toEqual([404, 404, 429, 429]);
      expect((await app.call('GET', '/keys', { token })).status).toBe(200);
    }));
});

describe('every answer', () => {
  test('has headers that keep browsers and caches out of it', () =>
    appOnSqlite({}, async (app) => {
      const token = await app.token('ada');
      for (const answer of [
        await app.call('GET', '/keys', { token }),
        await app.call('GET', '/keys'),
        await app.request('GET', '/nothing'),
        await app.request('GET', '/openapi.json'),
        await app.request('GET', '/healthz?token=abc123secret'),
        await app.request('GET', '/%zz'),
        await app.request('GET', `${API_PREFIX}/keys/${'1'.repeat(200)}`),
      ]) {
        expect(answer.headers).toMatchObject({
          'cache-control': 'no-store',
          'x-content-type-options': 'nosniff',
          'strict-transport-security': 'max-age=31536000',
          // Allows nothing, also of what `default-src` does not stand in for.
          'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
          'referrer-policy': 'no-referrer',
          'x-frame-options': 'DENY',
          'x-request-id': expect.stringMatching(/^[0-9a-f]{24}$/),
        });
        expect(answer.headers['server'] ?? answer.headers['x-powered-by']).toBeUndefined();
      }
    }));

  test('is a problem also where no request came of it: no HTTP, large headers, an address that cannot be read', () =>
    appOnSqlite({}, async (app) => {
      await app.app.listen({ host: '127.0.0.1', port: 0 });
      const broken = readRaw(await raw(app, 'HELLO\r\n\r\n'));
      expect([broken.status, broken.body.code]).toEqual([400, 'ERR_INPUT_INVALID']);
      expect(broken.head).toContain('content-type: application/problem+json');
      expect(broken.head).toContain('cache-control: no-store');
      expect(broken.head).toContain("content-security-policy: default-src 'none'");
      const large = readRaw(await raw(app, `GET / HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`));
      expect([large.status, large.body.code]).toEqual([431, 'ERR_HEADERS_TOO_LARGE']);
      const long = readRaw(await raw(app, `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`));
      expect([long.status, long.body.code]).toEqual([431, 'ERR_HEADERS_TOO_LARGE']);
      const both = `POST ${API_PREFIX}/keys HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
      expect(readRaw(await raw(app, both)).status).toBe(400);
      const url = readRaw(await raw(app, `GET /%zz?token=abc123secret HTTP/1.1\r\nHost: a\r\n${CLOSE}\r\n`));
      expect([url.status, url.body.detail]).toEqual([400, 'The URL is malformed.']);
      expect(url.head).toContain('cache-control: no-store');
      // The limits of slow clients are there; what they do is Node's.
      expect(app.app.server.headersTimeout).toBe(10_000);
      expect(app.app.server.requestTimeout).toBe(30_000);
      expect(app.app.server.timeout).toBe(120_000);
      expect(app.app.server.maxConnections).toBe(10_000);
    }));

  test('is a problem also where Node would have refused the head: HTTP/1.1 without a host, an expectation that nobody meets', () =>
    appOnSqlite({ corsOrigins: ['https://app.example'] }, async (app) => {
      await app.app.listen({ host: '127.0.0.1', port: 0 });
      const refused = async (head: string) => {
        const answer = readRaw(await raw(app, `${head}\r\n\r\n`));
        const id = /^x-request-id: ([0-9a-f]{24})\r?$/m.exec(answer.head)?.[1];
        expect([head, answer.body.instance]).toEqual([head, `urn:fieldseal:request:${id}`]);
        expect(app.log.at(-1)).toMatchObject({ event: 'request', requestId: id, status: answer.status });
        for (const line of ['content-type: application/problem+json', 'cache-control: no-store', 'connection: close'])
          expect(answer.head).toContain(line);
        return `${answer.status} ${answer.body.code}`;
      };
      const token = await app.token('ada');
      const preflight = 'Origin: https://app.example\r\nAccess-Control-Request-Method: POST';
      for (const head of [
        `GET ${API_PREFIX}/keys HTTP/1.1\r\nAuthorization: Bearer ${token}`,
        'GET /healthz HTTP/1.1',
        'GET /nothing HTTP/1.1',
        `OPTIONS ${API_PREFIX}/keys HTTP/1.1\r\n${preflight}`,
        'GET /healthz HTTP/1.1\r\nExpect: a-miracle',
      ])
        expect([head, await refused(head)]).toEqual([head, '400 ERR_INPUT_INVALID']);
      // What is said to be its body is not taken for the next request.
      const body = 'Content-Length: 34\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a';
      for (const head of [
        'GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: a-miracle',
        `POST ${API_PREFIX}/keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nExpect: 200-ok\r\n${body}`,
      ])
        expect([head, await refused(head)]).toEqual([head, '417 ERR_EXPECTATION']);
      expect((await app.call('GET', '/keys', { token })).body).toEqual([]);
      // HTTP/1.0 may do without a host, and its expectations are ignored.
      const old = await raw(app, 'GET /healthz HTTP/1.0\r\nExpect: a-miracle\r\n\r\n');
      expect(readRaw(old).status).toBe(200);
      const expected = await raw(app, `GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n${CLOSE}\r\n`);
      expect(expected).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
    }));

  test('on an open connection while the service ends is a problem too', () =>
    appOnSqlite({}, async (app) => {
      await app.app.listen({ host: '127.0.0.1', port: 0 });
      const { port } = app.app.server.address() as AddressInfo;
      let text = '';
      const socket = connect(port, '127.0.0.1');
      const closed = new Promise((resolve) => socket.on('close', resolve));
      const has = (part: string) =>
        new Promise<void>((resolve) => {
          const look = () => text.includes(part) && resolve();
          socket.on('data', look);
          look();
        });
      socket.on('data', (data) => {
        text += data;
      });
      // Answered, but its body is still on its way: the connection is not idle, and outlives the beginning of the end.
      const head = `POST ${API_PREFIX}/keys HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n`;
      socket.write(`${head}\r\n`);
      await has('"code":"ERR_UNAUTHENTICATED"');
      const closing = app.app.close();
      while (app.app.server.listening) await new Promise((resolve) => setImmediate(resolve));
      socket.write('{}GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
      await closed;
      await closing;
      const second = readRaw(text.slice(text.lastIndexOf('HTTP/1.1 ')));
      expect([second.status, second.body.code]).toEqual([503, 'ERR_UNAVAILABLE']);
      expect(second.head).toContain('connection: close');
      expect(second.head).toContain("content-security-policy: default-src 'none'");
    }));

  test('names its methods, and OPTIONS and HEAD are as harmless as GET', () =>
    appOnSqlite({}, async (app) => {
      const token = await app.token('ada');
      const allow = async (method: string, path: string) => {
        const answer = await app.call(method, path, { token });
        return `${answer.status} ${answer.headers['allow']}`;
      };
      expect(await allow('PUT', '/keys')).toBe('405 GET, HEAD, OPTIONS, POST');
      expect(await allow('OPTIONS', '/keys/1')).toBe('204 DELETE, GET, HEAD, OPTIONS, PATCH');
      expect(await allow('PUT', '/keys/1')).toBe('405 DELETE, GET, HEAD, OPTIONS, PATCH');
      expect(await allow('TRACE', '/rotate')).toBe('405 OPTIONS, POST');
      expect(await allow('OPTIONS', '/nothing')).toBe('404 undefined');
      expect(await allow('POST', '/audit-logs?limit=1')).toBe('405 GET, HEAD, OPTIONS');
      const head = await app.call('HEAD', '/keys', { token });
      const get = await app.call('GET', '/keys', { token });
      expect([head.status, head.text, head.headers['content-length']]).toEqual([
        200,
        '',
        get.headers['content-length'],
      ]);
      expect((await app.call('HEAD', '/keys')).status).toBe(401);
    }));
});

describe('pages of other origins', () => {
  const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' };

  test('get nothing unless they are named', () =>
    appOnSqlite({}, async (app) => {
      const headers = { origin: 'https://app.example' };
      const token = await app.token('ada');
      const corsHeaders = (answer: { headers: object }) =>
        Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'));
      expect(corsHeaders(await app.call('GET', '/keys', { token, headers }))).toEqual([]);
      const asked = await app.call('OPTIONS', '/keys', { headers: { ...headers, ...preflight } });
      expect([asked.status, corsHeaders(asked)]).toEqual([204, []]);
    }));

  test('that are named may call with a token, and without cookies', () =>
    appOnSqlite({ corsOrigins: ['https://app.example', 'http://localhost:3000'] }, async (app) => {
      const token = await app.token('ada');
      const named = { origin: 'https://app.example' };
      const asked = await app.call('OPTIONS', '/keys/1', { headers: { ...named, ...preflight } });
      expect([asked.status, asked.text]).toEqual([204, '']);
      expect(asked.headers).toMatchObject({
        'access-control-allow-origin': 'https://app.example',
        'access-control-allow-methods': 'GET, POST, PATCH, DELETE',
        'access-control-allow-headers': 'Authorization, Content-Type, Idempotency-Key',
        'access-control-max-age': '600',
        vary: 'Origin',
      });
      const got = await app.call('GET', '/keys', { token, headers: named });
      expect(got.headers['access-control-allow-origin']).toBe('https://app.example');
      expect(got.headers['access-control-allow-credentials']).toBeUndefined();
      // An answer that refuses can be read as well.
      const refused = await app.call('GET', '/keys', { headers: named });
      expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, 'https://app.example']);
      const early = await app.call('GET', '/keys?token=abc123secret', { headers: named });
      expect([early.status, early.headers['access-control-allow-origin']]).toEqual([400, 'https://app.example']);
      for (const origin of ['https://app.example.evil', 'http://app.example', 'null', 'https://sub.app.example']) {
        const other = await app.call('GET', '/keys', { token, headers: { origin } });
        expect([origin, other.headers['access-control-allow-origin']]).toEqual([origin, undefined]);
        const otherAsked = await app.call('OPTIONS', '/keys', { headers: { origin, ...preflight } });
        expect([origin, otherAsked.headers['access-control-allow-origin']]).toEqual([origin, undefined]);
      }
      const put = await app.call('PUT', '/keys', { token, headers: named });
      expect(refusalOf(put)).toBe('405 ERR_METHOD');
    }));
});
