import { execFile } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { FieldsealApiError, FieldsealClient, operations } from '../../src/client/index.js';
import { withApp } from '../http/with-app.ts';
import { withProject } from '../with-project.ts';

/** What a server of the test's own was asked, and what it answers, in turn. */
async function withServer<T>(
  answers: ((request: IncomingMessage, response: ServerResponse) => void)[],
  work: (url: string, asked: IncomingMessage[]) => Promise<T>,
): Promise<T> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    (answers[asked.length - 1] ?? answers.at(-1))?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (_request: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
const problem = (status: number, code: string, headers = {}) =>
  json(status, { code, detail: 'A sentence.' }, { 'x-request-id': 'r-1', ...headers });
const clientOf = (baseUrl: string, options = {}) => new FieldsealClient({ baseUrl, token: 't', ...options });

describe('the client', () => {
  it('has every operation of the description, and no other', async () => {
    await withApp({}, async ({ app }) => {
      const { paths } = (await app.inject('/openapi.json')).json();
      const described = Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace('/api/encryption', '')}`),
      );
      const own = Object.values(operations).map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
      expect(own.sort()).toEqual(described.sort());
    });
  });

  it('does what the API does, against the real one', async () => {
    await withApp({}, async ({ app, token }) => {
      const baseUrl = await app.listen({ host: '127.0.0.1', port: 0 });
      const client = new FieldsealClient({ baseUrl, token: async () => token });
      const created = await client.createKey({ name: 'one', scopes: ['read:projects'], expires_in_days: 9 });
      expectTypeOf(created.key).toEqualTypeOf<string | null>();
      expect(created).toMatchObject({ id: 1, name: 'one', scopes: ['read:projects'], key: expect.any(String) });
      for (const name of ['two', 'three', 'four', 'five']) await client.createKey({ name });
      expect((await client.listKeys({ limit: 2 })).map(({ name }) => name)).toEqual(['five', 'four']);
      const names: string[] = [];
      for await (const { name } of client.pages('listKeys', { limit: 2 })) names.push(name);
      expect(names).toEqual(['five', 'four', 'three', 'two', 'one']);
      expect(await client.revokeKey({ id: created.id, reason: 'test' })).toMatchObject({ id: 1 });
      const twice = await client.revokeKey({ id: created.id }).catch((error: unknown) => error);
      expect(twice).toBeInstanceOf(FieldsealApiError);
      expect(twice).toMatchObject({
        status: 409,
        code: 'ERR_API_KEY_REVOKED',
        requestId: expect.stringMatching(/^[0-9a-f]{24}$/),
      });
      const { total, logs } = await client.auditLogs({ action: 'api_key_created' });
      expect([total, logs.length]).toEqual([5, 5]);
      const actions: number[] = [];
      for await (const { id } of client.pages('auditLogs', { limit: 2, action: 'api_key_created' })) actions.push(id);
      expect(actions).toEqual([...logs].map(({ id }) => id));
      const { rotation_id: id } = await client.rotate();
      expect(await client.rotationStatus({ id })).toMatchObject({ id, rotation_status: 'pending' });
      expect(await client.pauseRotation({ id })).toMatchObject({ rotation_status: 'paused' });
      expect((await client.rotation({ id })).columns).toBeNull();
      expect((await client.rotations()).map((run) => run.id)).toEqual([id]);
    });
  });

  it('takes what the schemas take, and nothing else', () => {
    const client = clientOf('http://127.0.0.1:1');
    expectTypeOf(client.createKey).parameter(0).toExtend<{ name: string }>();
    expectTypeOf(client.request<'listKeys'>).returns.resolves.items.toHaveProperty('last_used_at');
    // @ts-expect-error a key needs a name
    void (() => client.createKey({}));
    // @ts-expect-error there is no such field
    void (() => client.createKey({ name: 'a', nam: 'b' }));
    // @ts-expect-error one rotation has an id
    void (() => client.rotation());
    // @ts-expect-error an answer of one key is no list
    void (() => client.pages('createKey'));
  });

  it('never quotes its token, and takes no address with more than a place in it', async () => {
    const failed = await clientOf('http://127.0.0.1:1', { token: 'one\ntwo' }).listKeys().catch(String);
    expect(failed).toBe('TypeError: token must be printable ASCII without spaces');
    for (const url of ['http://:pw@h', 'http://u@h', 'http://h/?a', 'http://h/#a', 'ftp://h'])
      expect(() => clientOf(url)).toThrow(TypeError);
  });

  it('lets an export take longer than its first byte may, and repeats only what is done once', async () => {
    const slow = (_request: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200).write('a');
      setTimeout(() => response.end('b'), 150);
    };
    await withServer([slow], async (url) => {
      const answer = await clientOf(url, { timeoutMs: 100 }).exportAuditLogs({});
      expect(await answer.text()).toBe('ab');
    });
    await withServer([problem(503, 'ERR_UNAVAILABLE', { 'retry-after': '0' })], async (url, asked) => {
      const once = { idempotencyKey: 'k' };
      await expect(clientOf(url).rotate({}, once)).rejects.toMatchObject({ status: 503 });
      expect(asked).toHaveLength(1);
      await expect(clientOf(url).createKey({ name: 'a' }, once)).rejects.toMatchObject({ status: 503 });
      expect(asked).toHaveLength(4);
    });
  });

  it('needs nothing but itself at run time', async () => {
    await withProject({ sql: null, config: null }, async ({ folder }) => {
      await cp(fileURLToPath(new URL('../../dist/client', import.meta.url)), `${folder}/alone`, { recursive: true });
      // No package.json and no node_modules are above it; an import of either would fail.
      const script = "import('./alone/index.js').then(({ FieldsealClient }) => console.log(typeof FieldsealClient))";
      await promisify(execFile)('rm', ['node_modules'], { cwd: folder });
      await promisify(execFile)('sh', ['-c', `echo '{"type":"module"}' > package.json`], { cwd: folder });
      const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: folder });
      expect(stdout).toBe('function\n');
    });
  });

  it('sends the token in its header alone, JSON where there is a body, and follows no redirect', async () => {
    const away = (_request: IncomingMessage, response: ServerResponse) =>
      void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end();
    await withServer([json(200, []), json(201, {}), away], async (url, asked) => {
      const client = clientOf(`${url}/behind/`, { token: 'secret' });
      await client.listKeys({ limit: 3 });
      await client.createKey({ name: 'a' }, { idempotencyKey: 'once' });
      expect(asked.map(({ method, url: address }) => `${method} ${address}`)).toEqual([
        'GET /behind/api/encryption/keys?limit=3',
        'POST /behind/api/encryption/keys',
      ]);
      expect(
        asked.map(({ headers }) => [headers.authorization, headers['content-type'], headers['idempotency-key']]),
      ).toEqual([
        ['Bearer secret', undefined, undefined],
        ['Bearer secret', 'application/json', 'once'],
      ]);
      await expect(client.listKeys()).rejects.toThrow(TypeError);
    });
  });

  it.each([
    ['a list', (client: FieldsealClient) => client.listKeys(), 3],
    [
      'what has an Idempotency-Key',
      (client: FieldsealClient) => client.createKey({ name: 'a' }, { idempotencyKey: 'i' }),
      3,
    ],
    ['what may have been done', (client: FieldsealClient) => client.createKey({ name: 'a' }), 1],
    ['a revocation', (client: FieldsealClient) => client.revokeKey({ id: 1 }), 1],
  ])('repeats %s, or does not, when it is told to wait', async (_name, ask, times) => {
    const busy = problem(503, 'ERR_UNAVAILABLE', { 'retry-after': '0' });
    await withServer(
      [busy, problem(429, 'ERR_RATE_LIMITED', { 'retry-after': '0' }), json(200, [])],
      async (url, asked) => {
        const result = await ask(clientOf(url)).then(
          () => 'done',
          ({ code }: FieldsealApiError) => code,
        );
        expect([result, asked.length]).toEqual([times === 3 ? 'done' : 'ERR_UNAVAILABLE', times]);
      },
    );
  });

  it.each([
    ['of another status', problem(403, 'ERR_FORBIDDEN', { 'retry-after': '0' })],
    ['that says not when', problem(503, 'ERR_UNAVAILABLE')],
    ['that says to wait for long', problem(429, 'ERR_RATE_LIMITED', { 'retry-after': '60' })],
  ])('does not repeat after an answer %s', async (_name, answer) => {
    await withServer([answer], async (url, asked) => {
      await expect(clientOf(url).listKeys()).rejects.toBeInstanceOf(FieldsealApiError);
      expect(asked).toHaveLength(1);
    });
  });

  it('tells of an answer that is not the service’s', async () => {
    const proxy = (_request: IncomingMessage, response: ServerResponse) => void response.writeHead(502).end('<html>');
    await withServer([proxy], async (url) => {
      const error = await clientOf(url)
        .listKeys()
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: 'ERR_ANSWER',
        status: 502,
        requestId: null,
        message: 'The answer has the status 502.',
      });
    });
  });

  it('gives up in time, and when it is told to', async () => {
    await withServer([() => {}], async (url) => {
      await expect(clientOf(url, { timeoutMs: 20 }).listKeys()).rejects.toMatchObject({ name: 'TimeoutError' });
      const stop = new AbortController();
      const asking = clientOf(url).listKeys({}, { signal: stop.signal });
      stop.abort();
      await expect(asking).rejects.toMatchObject({ name: 'AbortError' });
    });
  });

  it('leads nowhere but to the service', async () => {
    const elsewhere = { link: '<https://elsewhere.example/api?before=7>; rel="next"' };
    await withServer([json(200, [{ id: 8 }], elsewhere), json(200, [{ id: 6 }])], async (url, asked) => {
      const ids: number[] = [];
      for await (const { id } of clientOf(url).pages('listKeys')) ids.push(id);
      expect([ids, asked.map(({ url: address }) => address)]).toEqual([
        [8, 6],
        ['/api/encryption/keys', '/api/encryption/keys?before=7'],
      ]);
      await expect(clientOf(url).rotation({ id: '../keys' as never })).rejects.toThrow('id must be an id');
      await expect(clientOf(url).rotation({ id: '..' as never })).rejects.toThrow('id must be an id');
    });
    expect(() => clientOf('file:///etc')).toThrow(TypeError);
    expect(() => clientOf('https://user:pw@host')).toThrow(TypeError);
  });
});
