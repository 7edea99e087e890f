/** What holds on every route of the API, as tests that the file of a route calls. */
import { expect, test } from 'vitest';
import { type Answer, type AppUnderTest, type Caller, freshSubject, TEST_REQUESTS_PER_MINUTE } from './with-app.ts';

export interface RouteUnderTest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Without the API's prefix, with an id in it that need not be there: `/keys/999`. */
  readonly path: string;
  /** One that the route takes; left out for routes without a body. */
  readonly body?: object;
  /** Who may call it, if only to learn that there is nothing. */
  readonly caller?: Caller;
  /** The scope whose lack answers 403. */
  readonly scope: string;
  /** Requests that the schema refuses, and what `detail` names. */
  readonly malformed: readonly (readonly [what: { readonly path?: string; readonly body?: unknown }, names: string])[];
  /** A table without which it cannot answer. */
  readonly table: string;
  /** Whether callers with credentials may call it as often as they like. */
  readonly isUnlimited?: boolean;
}

/** Status and code; a problem that tells of nothing inside. */
export function refusalOf({ status, body, headers, text }: Answer): string {
  expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(headers['cache-control']).toBe('no-store');
  expect(body).toEqual({
    type: 'about:blank',
    title: expect.any(String),
    status,
    code: expect.stringMatching(/^ERR_/),
    detail: expect.any(String),
    instance: expect.stringMatching(/^urn:fieldseal:request:[0-9a-f]{24}$/),
  });
  expect(text).not.toMatch(/SELECT|INSERT|node_modules|\.[jt]s:\d|sqlite|postgres/i);
  return `${status} ${body.code}`;
}

/** 400, 401, 403, 405, 413, 415, 429, 500 and 503 of a route. */
export function refusesAsEveryRoute(app: () => AppUnderTest, route: RouteUnderTest): void {
  const { method, path, body, caller = {} } = route;
  const call = (token: string | undefined, more: Parameters<AppUnderTest['call']>[2] = {}) =>
    app().call(method, path, { token, body, ...more });

  test('400 for what does not fit the schema, with the name of the field', async () => {
    const token = await app().token(freshSubject(), caller);
    for (const [what, names] of route.malformed) {
      const answer = await app().call(method, what.path ?? path, { token, body: 'body' in what ? what.body : body });
      expect([what, refusalOf(answer)]).toEqual([what, '400 ERR_INPUT_INVALID']);
      expect([what, answer.body.detail]).toEqual([what, expect.stringContaining(names)]);
    }
  });

  test('401 without credentials, and with ones that are not valid, with a challenge', async () => {
    const without = await call(undefined, { from: '192.0.2.1' });
    expect(refusalOf(without)).toBe('401 ERR_UNAUTHENTICATED');
    expect(without.headers['www-authenticate']).toBe('Bearer realm="fieldseal"');
    const invalid = await call('rubbish', { from: '192.0.2.1' });
    expect(refusalOf(invalid)).toBe('401 ERR_UNAUTHENTICATED');
    expect(invalid.headers['www-authenticate']).toBe(
      'Bearer realm="fieldseal", error="invalid_token", error_description="The API key is not valid."',
    );
  });

  test('403 without the scope, which the challenge names', async () => {
    const key = await app().apiKey(freshSubject(), ['other:scope']);
    const answer = await call(key);
    expect(refusalOf(answer)).toBe('403 ERR_FORBIDDEN');
    expect(answer.headers['www-authenticate']).toMatch(
      new RegExp(
        `^Bearer realm="fieldseal", error="insufficient_scope", error_description="[^"]+", scope="${route.scope}"$`,
      ),
    );
  });

  test('405 for another method, with those that there are', async () => {
    const answer = await app().call('PUT', path, { from: '192.0.2.2' });
    expect(refusalOf(answer)).toBe('405 ERR_METHOD');
    expect(answer.headers['allow']?.split(', ')).toContain(method);
    const options = await app().call('OPTIONS', path, { from: '192.0.2.2' });
    expect([options.status, options.text, options.headers['allow']]).toEqual([204, '', answer.headers['allow']]);
  });

  if (body) {
    test('413 for a body of more than 64 KiB', async () => {
      const token = await app().token(freshSubject(), caller);
      expect(refusalOf(await call(token, { body: { x: 'x'.repeat(65_536) } }))).toBe('413 ERR_BODY_TOO_LARGE');
    });

    test('415 for what is not JSON in UTF-8, or compressed', async () => {
      const token = await app().token(freshSubject(), caller);
      for (const headers of [
        { 'content-type': 'text/plain' },
        { 'content-type': 'application/x-www-form-urlencoded' },
        { 'content-type': 'application/json; charset=iso-8859-1' },
        { 'content-encoding': 'gzip' },
      ]) {
        expect([headers, refusalOf(await call(token, { headers }))]).toEqual([headers, '415 ERR_MEDIA_TYPE']);
      }
    });
  }

  test.skipIf(route.isUnlimited === true)('429 after so many requests of one caller, and for no other', async () => {
    const [token, other] = [await app().token(freshSubject(), caller), await app().token(freshSubject(), caller)];
    const first = await call(token);
    expect(first.headers['ratelimit-limit']).toBe(String(TEST_REQUESTS_PER_MINUTE));
    expect(first.headers['ratelimit-remaining']).toBe(String(TEST_REQUESTS_PER_MINUTE - 1));
    for (let i = 1; i < TEST_REQUESTS_PER_MINUTE; i++) expect((await call(token)).status).not.toBe(429);
    const limited = await call(token);
    expect(refusalOf(limited)).toBe('429 ERR_RATE_LIMITED');
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
    expect(limited.headers['ratelimit-remaining']).toBe('0');
    expect(limited.headers['ratelimit-reset']).toBe(limited.headers['retry-after']);
    expect((await call(other)).status).not.toBe(429);
  });

  test('500 when the service is broken: nothing of its inside', async () => {
    const token = await app().token(freshSubject(), caller);
    await app().sql(`ALTER TABLE {t}${route.table} RENAME TO away`);
    try {
      expect(refusalOf(await call(token))).toBe('500 ERR_INTERNAL');
    } finally {
      await app().sql(`ALTER TABLE {t}away RENAME TO ${route.table}`);
    }
  });

  test('503 while the database fails, and when to come again', async () => {
    const token = await app().token(freshSubject(), caller);
    // In the table's place something that no statement gets anything out of.
    const fails = `{t}${route.table} AS SELECT * FROM {t}away WHERE ${app().alwaysFails} LIMIT 1`;
    await app().sql(`ALTER TABLE {t}${route.table} RENAME TO away; CREATE VIEW ${fails}`);
    try {
      const answer = await call(token);
      expect(refusalOf(answer)).toBe('503 ERR_UNAVAILABLE');
      expect(answer.headers['retry-after']).toBe('1');
    } finally {
      await app().sql(`DROP VIEW {t}${route.table}; ALTER TABLE {t}away RENAME TO ${route.table}`);
    }
  });
}
