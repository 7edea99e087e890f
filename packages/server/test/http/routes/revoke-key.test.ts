/** `DELETE /keys/:id`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';

onBothDatabases((app) => {
  test('200 the first time, with and without a body, and 409 the second', async () => {
    const token = await app().token(freshSubject());
    for (const body of [{ reason: 'lost' }, {}, undefined]) {
      const { id } = await app().makeKey(token);
      const { status, body: answer } = await app().call('DELETE', `/keys/${id}`, { token, body });
      expect([status, answer]).toEqual([
        200,
        { message: 'Key revoked successfully', id, revoked_at: expect.stringMatching(/Z$/) },
      ]);
      expect(refusalOf(await app().call('DELETE', `/keys/${id}`, { token }))).toBe('409 ERR_API_KEY_REVOKED');
    }
  });

  test('404 for another’s key, byte for byte as for none', async () => {
    const { id } = await app().makeKey(await app().token(freshSubject()));
    const token = await app().token(freshSubject());
    const [others, absent] = [
      await app().call('DELETE', `/keys/${id}`, { token }),
      await app().call('DELETE', '/keys/999999', { token }),
    ];
    expect(refusalOf(others)).toBe('404 ERR_NOT_FOUND');
    const withoutId = (text: string) => text.replace(/[0-9a-f]{24}/, '');
    expect(withoutId(others.text)).toBe(withoutId(absent.text));
    const headers = (answer: typeof others) => Object.keys(answer.headers).sort();
    expect(headers(others)).toEqual(headers(absent));
  });

  refusesAsEveryRoute(app, {
    method: 'DELETE',
    path: '/keys/999999',
    body: {},
    scope: 'keys:write',
    table: 'api_keys',
    malformed: [
      ...['x', '0', '-1', '4.7', '0x1', '1e2', '01', '9007199254740992', '1'.repeat(99)].map(
        (id) => [{ path: `/keys/${id}` }, 'id'] as const,
      ),
      [{ path: `/keys/${'1'.repeat(101)}` }, 'too long'],
      [{ body: { reason: 7 } }, 'reason'],
      [{ body: { reason: 'a\u0000b' } }, 'reason'],
      [{ body: { reason: 'x'.repeat(1001) } }, 'reason'],
      [{ body: { unknown: 1 } }, 'unknown'],
    ],
  });
});
