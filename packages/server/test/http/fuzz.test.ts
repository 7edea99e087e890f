/** Made-up requests over the whole description of the API: whatever comes, the answer is one that it describes. */
import fc from 'fast-check';
import type { ErrorCode } from 'fieldseal';
import { Compile } from 'typebox/compile';
import { expect, test } from 'vitest';
import { ProblemSchema } from '../../src/http/problem.ts';
import { HTTP_STATUSES } from '../../src/http/statuses.ts';
import { type FuzzedRequest, requestsTo } from './openapi-arbitraries.ts';
import { type Operation, operationsOf } from './openapi-document.ts';
import { type AppPlace, type AppUnderTest, appOnPostgres, appOnSqlite } from './with-app.ts';

const SEED = 20_260_226;
const INSIDE =
  /\bat .+\.[jt]s:\d|node_modules|SQLITE_|\b(SELECT|INSERT|UPDATE|DELETE) .+\b(FROM|INTO|SET)\b|relation "|constraint/;

/** Authorization headers: admins and users, keys with some scopes, and what is no credential. Null: none. */
async function callersOf(app: AppUnderTest): Promise<(string | null)[]> {
  const bearer = (token: string) => `Bearer ${token}`;
  const admin = await app.token('root', { isAdmin: true });
  return [
    ...[admin, admin, admin, await app.token('1'), await app.token('ada')].map(bearer),
    bearer(await app.token('ada', { scopes: ['keys:read', 'audit:read'] })),
    bearer(await app.token('O’Brien', {}).catch(() => app.token("O'Brien"))),
    bearer(await app.apiKey('ada', ['keys:read', 'keys:write', 'audit:read', 'rotation:write'])),
    bearer(await app.apiKey('ben', ['rotation:write'])),
    bearer(await app.apiKey('ben', ['other:scope'])),
    bearer(`${(await app.token('1')).slice(0, -3)}abc`),
    bearer('pk_abc123_00000000000000000000000000000000'),
    bearer("a_b' OR 1=1"),
    'Bearer ',
    'Basic YTpi',
    null,
  ];
}

type Validator = { Check(value: unknown): boolean };

/** Whether bodies of a status and a media type are as the operation says. */
class DescribedAnswers {
  readonly #validators = new Map<string, Validator | null>();

  of(operation: Operation, status: number, mediaType: string): Validator | null {
    const name = `${operation.method} ${operation.path} ${status} ${mediaType}`;
    if (!this.#validators.has(name)) {
      const schema = operation.responses[status]?.content?.[mediaType]?.schema;
      this.#validators.set(name, schema ? Compile(schema as object) : null);
    }
    return this.#validators.get(name) ?? null;
  }
}

const PROBLEM = Compile(ProblemSchema);
/** What a request to no operation can have for an answer. */
const OUTSIDE = [204, 400, 404, 405, 413, 415];

async function fuzz(place: AppPlace, requests: number): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  await place({ limits: { requestsPerMinute: 0, refusalsPerMinute: 500 } }, async (app) => {
    const operations = await operationsOf(app);
    const callers = await callersOf(app);
    const described = new DescribedAnswers();
    const answersAsDescribed = async ({ operation, method, url, caller, headers, body }: FuzzedRequest) => {
      const authorization = callers[caller];
      const answer = await app.app.inject({
        method: method as 'GET',
        url,
        headers: {
          ...(authorization != null && { authorization }),
          ...(body !== null && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== null && { payload: body }),
      });
      const { statusCode: status, payload } = answer;
      seen[`${method} ${status}`] = (seen[`${method} ${status}`] ?? 0) + 1;
      expect(status).toBeLessThan(500);
      const mediaType = String(answer.headers['content-type'] ?? '').split(';')[0] as string;
      // HEAD is GET without its body; what the router made of an odd address is no operation of the document.
      if (payload === '') {
        expect(method === 'HEAD' || status === 204 || mediaType === 'application/x-ndjson').toBe(true);
        return;
      }
      const isJson = /^application\/(problem\+)?json$/.test(mediaType);
      const value: unknown = isJson ? JSON.parse(payload) : payload;
      if (mediaType === 'application/x-ndjson') for (const line of payload.trimEnd().split('\n')) JSON.parse(line);
      if (status >= 400) {
        expect(mediaType).toBe('application/problem+json');
        expect(PROBLEM.Check(value)).toBe(true);
        const { code, status: said } = value as { code: ErrorCode; status: number };
        expect([HTTP_STATUSES[code], said]).toEqual([status, status]);
        expect(payload).not.toMatch(INSIDE);
        if (status === 401) expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="fieldseal"/);
      }
      if (method === operation.method && status !== 405 && !OUTSIDE.includes(status)) {
        expect([status, described.of(operation, status, mediaType)?.Check(value)]).toEqual([status, true]);
      }
      if (method === operation.method && status in operation.responses) {
        expect([status, described.of(operation, status, mediaType)?.Check(value)]).toEqual([status, true]);
      }
    };
    // What one request leaves behind another meets, so that there is nothing to shrink; fast-check prints seed and request.
    const property = fc.asyncProperty(requestsTo(operations, callers.length), answersAsDescribed);
    await fc.assert(property, { numRuns: requests, seed: SEED, endOnFailure: true });
    // Nothing that anybody sent is in the log but the method, the route and the status.
    const log = JSON.stringify(app.log);
    for (const authorization of callers)
      if (authorization) expect(log).not.toContain(authorization.slice(7) || '\u0000');
    expect(app.log.filter(({ event }) => event !== 'request')).toEqual([]);
  });
  return seen;
}

/** The run was about something: operations succeeded, and were refused in each way. */
function expectVariety(seen: Record<string, number>): void {
  for (const kind of [
    'GET 200',
    'POST 201',
    'POST 202',
    'POST 200',
    'DELETE 200',
    'GET 400',
    'GET 401',
    'GET 403',
    'GET 404',
  ])
    expect([kind, seen[kind] ?? 0]).toEqual([kind, expect.toSatisfy((count: number) => count > 0)]);
  const statuses = new Set(Object.keys(seen).map((kind) => kind.split(' ')[1]));
  for (const status of ['200', '201', '202', '204', '400', '401', '403', '404', '405', '409', '413', '415'])
    expect([status, statuses.has(status)]).toEqual([status, true]);
}

test(
  '20,000 requests on SQLite: no answer is a 5xx, tells of the inside, or is other than described',
  {
    timeout: 300_000,
  },
  async () => expectVariety(await fuzz(appOnSqlite, 20_000)),
);

test('2,000 requests on PostgreSQL: the same', { timeout: 300_000 }, async () => {
  expectVariety(await fuzz(appOnPostgres, 2_000));
});
