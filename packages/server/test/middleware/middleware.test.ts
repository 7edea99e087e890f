/** The middleware in real servers: Fastify, and Express 5, both over a database that holds the keys. */
import type { AddressInfo } from 'node:net';
import express from 'express';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ApiKeyVerifier,
  apiKeyPlugin,
  connectApiKeys,
  createApiKeyVerifier,
  fastifyApiKeys,
  type WithApiKey,
} from '../../src/middleware/index.js';
import type { Service } from '../../src/usecases/service.js';
import { issueKey, onSqliteFile } from '../usecases/with-open-service.js';

interface Running {
  readonly url: string;
  close(): Promise<unknown>;
}

async function onFastify(verifier: ApiKeyVerifier): Promise<Running> {
  const requireApiKey = fastifyApiKeys(verifier);
  const app: FastifyInstance = Fastify({ trustProxy: '127.0.0.1' });
  const whose = async (request: object) => (request as WithApiKey).apiKey;
  app.get('/open', async () => ({}));
  app.get('/any', { onRequest: requireApiKey() }, whose);
  app.get('/projects', { preHandler: requireApiKey({ scopes: ['read:projects', 'write:sns'] }) }, whose);
  await app.register(async (scope) => {
    await scope.register(apiKeyPlugin, { verifier });
    await scope.register(apiKeyPlugin, { verifier, scopes: ['read:projects'] });
    scope.get('/below/projects', whose);
  });
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() };
}

async function onExpress(verifier: ApiKeyVerifier): Promise<Running> {
  const requireApiKey = connectApiKeys(verifier);
  const app = express();
  app.set('trust proxy', 'loopback');
  const whose = (req: object, res: { json(body: unknown): unknown }) => void res.json((req as WithApiKey).apiKey);
  app.get('/open', (_req, res) => void res.json({}));
  app.get('/any', requireApiKey(), whose);
  app.get('/projects', requireApiKey({ scopes: ['read:projects', 'write:sns'] }), whose);
  app.use('/below', requireApiKey());
  app.get('/below/projects', requireApiKey({ scopes: ['read:projects'] }), whose);
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => new Promise((resolve) => server.close(resolve)) };
}

let service: Service;
let verifier: ApiKeyVerifier;
let closedVerifier: ApiKeyVerifier;
let finish: () => void;
let finished: Promise<void>;

beforeAll(async () => {
  await new Promise<void>((ready, reject) => {
    finished = onSqliteFile(async ({ target, keys, open }) => {
      service = await open();
      const databaseUrl = `sqlite:${(target as { file: string }).file}`;
      verifier = await createApiKeyVerifier({ databaseUrl, keys });
      closedVerifier = await createApiKeyVerifier({ databaseUrl, keys });
      await closedVerifier.close();
      ready();
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      await verifier.close();
      await verifier.close();
    });
    finished.catch(reject);
  });
});

afterAll(async () => {
  finish();
  await finished;
});

describe.each([
  ['Fastify', onFastify],
  ['Express', onExpress],
])('in %s', (_name, start) => {
  let running: Running;
  beforeAll(async () => {
    running = await start(verifier);
  });
  afterAll(() => running.close());

  async function get(path: string, key?: string, headers: Record<string, string> = {}) {
    const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const response = await fetch(running.url + path, { headers: { ...authorization, ...headers } });
    const { body, problem } = await response.text().then((text) => {
      const json = JSON.parse(text);
      return response.status < 400 ? { body: json, problem: null } : { body: null, problem: json };
    });
    if (problem) {
      expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(problem).toMatchObject({ type: 'about:blank', status: response.status, detail: expect.any(String) });
    }
    return {
      status: response.status,
      body,
      code: problem?.code,
      challenge: response.headers.get('www-authenticate'),
      headers: response.headers,
    };
  }

  it('a route without it is open, and a request with a valid key knows whose it is', async () => {
    const { key, row } = await issueKey(service);
    expect((await get('/open')).status).toBe(200);
    const apiKey = { keyId: row.id, userId: '7', scopes: ['read:projects', 'write:sns'] };
    for (const path of ['/any', '/projects', '/below/projects']) {
      expect(await get(path, key)).toMatchObject({ status: 200, body: apiKey });
    }
  });

  it('a missing key, one that is not valid and one without the scope are refused with their own challenge', async () => {
    const { key } = await issueKey(service, { scopes: ['write:sns'] });
    const expired = await issueKey(service, { expiresAt: '2026-01-02T00:00:00.000Z' });
    for (const path of ['/any', '/projects', '/below/projects']) {
      expect(await get(path)).toMatchObject({ status: 401, code: 'MISSING_KEY', challenge: 'Bearer' });
      for (const text of [expired.key, `${key}x`, 'x'.repeat(2000)]) {
        const refused = { status: 401, challenge: text.length > 1024 ? 'Bearer' : 'Bearer error="invalid_token"' };
        expect(await get(path, text)).toMatchObject(refused);
      }
    }
    expect(await get('/any', undefined, { authorization: `Basic ${key}` })).toMatchObject({ code: 'MISSING_KEY' });
    expect(await get('/projects', key)).toMatchObject({
      status: 403,
      code: 'INSUFFICIENT_SCOPE',
      challenge: 'Bearer error="insufficient_scope", scope="read:projects write:sns"',
    });
    expect(await get('/below/projects', key)).toMatchObject({
      status: 403,
      challenge: 'Bearer error="insufficient_scope", scope="read:projects"',
    });
  });

  it('a key with limits is held to them: one use a request, from its addresses alone', async () => {
    const limited = await issueKey(service, { rateLimit: 2, rateWindowSeconds: 3600 });
    expect((await get('/below/projects', limited.key)).status).toBe(200);
    expect((await get('/below/projects', limited.key)).status).toBe(200);
    const refused = await get('/below/projects', limited.key);
    expect(refused).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const counted = await issueKey(service, { quota: 1 });
    expect((await get('/any', counted.key)).status).toBe(200);
    expect(await get('/any', counted.key)).toMatchObject({ status: 429, code: 'QUOTA_EXCEEDED' });
    const office = await issueKey(service, { allowedIps: ['192.0.2.0/24'] });
    const from = (address: string) => get('/any', office.key, { 'x-forwarded-for': address });
    expect((await from('192.0.2.7')).status).toBe(200);
    expect(await from('192.0.3.7')).toMatchObject({ status: 403, code: 'FORBIDDEN_IP' });
    expect(await from('nowhere')).toMatchObject({ status: 403, code: 'FORBIDDEN_IP' });
    expect(await get('/any', office.key)).toMatchObject({ status: 403, code: 'FORBIDDEN_IP' });
  });

  it('nobody gets in while keys cannot be verified', async () => {
    const { key } = await issueKey(service);
    const closed = await start(closedVerifier);
    try {
      const response = await fetch(`${closed.url}/any`, { headers: { authorization: `Bearer ${key}` } });
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
      expect(await response.json()).toMatchObject({ code: 'UNAVAILABLE' });
    } finally {
      await closed.close();
    }
  });
});

it('an answer that the application gave meanwhile is left alone', async () => {
  const done: string[] = [];
  const req = { headers: {}, socket: { remoteAddress: '127.0.0.1' } };
  const refuse = () => {
    done.push('answered');
    throw new Error('Cannot set headers after they are sent to the client');
  };
  const res = { statusCode: 503, headersSent: true, setHeader: refuse, end: refuse };
  connectApiKeys(verifier)()(req, res, () => done.push('next'));
  await new Promise((resolve) => setImmediate(resolve));
  expect([res.statusCode, done]).toEqual([503, []]);
});

it('a scope that no header could carry is refused where a route is declared', () => {
  for (const scope of ['', 'a b', 'a"b', 'a\\b', 'a,b', 'é']) {
    expect(() => fastifyApiKeys(verifier)({ scopes: [scope] })).toThrow(TypeError);
    expect(() => connectApiKeys(verifier)({ scopes: [scope] })).toThrow(TypeError);
  }
});
