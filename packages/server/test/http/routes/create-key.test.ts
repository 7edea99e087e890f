/** `POST /keys`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

onBothDatabases((app) => {
  test('201 with the key, which no list shows again', async () => {
    const subject = freshSubject();
    const token = await app().token(subject);
    const { status, body } = await app().call('POST', '/keys', { token, body: { name: 'CI', scopes: 'a:b, c' } });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.any(Number),
      name: 'CI',
      key: expect.stringMatching(/^pk_[0-9A-Za-z]{6}_[0-9A-Za-z]{32}$/),
      prefix: body.key.slice(0, 9),
      created_at: TIME,
      expires_at: TIME,
      is_active: true,
      scopes: ['a:b', 'c'],
    });
    const listed = await app().call('GET', '/keys', { token });
    expect(listed.text).not.toContain(body.key);
  });

  test('400 for JSON that is broken, not UTF-8, ambiguous or too deep', async () => {
    const token = await app().token(freshSubject());
    const detail = async (body: string) => {
      const answer = await app().call('POST', '/keys', { token, body });
      expect([body, refusalOf(answer)]).toEqual([body, '400 ERR_INPUT_INVALID']);
      return answer.body.detail;
    };
    expect(await detail('{"name":')).toBe('The body is not JSON.');
    expect(await detail('{"name":"a","name":"b"}')).toBe('The body has a field twice.');
    expect(await detail('{"name":"a","n\\u0061me":"b"}')).toBe('The body has a field twice.');
    expect(await detail('{"name":"a","__proto__":{"scopes":["x"]}}')).toBe('The body is not JSON.');
    expect(await detail('['.repeat(33) + ']'.repeat(33))).toBe('The body is nested more than 32 deep.');
    const bytes = Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await app().app.inject({ method: 'POST', url: '/api/encryption/keys', headers, payload: bytes });
    expect([answer.statusCode, answer.json().detail]).toEqual([400, 'The body is not UTF-8.']);
  });

  test('403 for scopes that the caller cannot grant', async () => {
    const token = await app().token(freshSubject());
    for (const scopes of [['keys:read'], ['admin'], ['x', 'rotation:write']]) {
      expect(refusalOf(await app().call('POST', '/keys', { token, body: { name: 'k', scopes } }))).toBe(
        '403 ERR_FORBIDDEN',
      );
    }
  });

  refusesAsEveryRoute(app, {
    method: 'POST',
    path: '/keys',
    body: { name: 'k' },
    scope: 'keys:write',
    table: 'api_keys',
    malformed: [
      [{ body: {} }, 'name'],
      [{ body: { name: '' } }, 'name'],
      [{ body: { name: 7 } }, 'name'],
      [{ body: { name: 'k', expires_in_days: 0 } }, 'expires_in_days'],
      [{ body: { name: 'k', expires_in_days: '30' } }, 'expires_in_days'],
      [{ body: { name: 'k', scopes: 'a b' } }, 'scopes'],
      [{ body: { name: 'k', unknown: 1 } }, 'unknown'],
      [{ body: [] }, 'body'],
      [{ body: '' }, 'body'],
    ],
  });
});
