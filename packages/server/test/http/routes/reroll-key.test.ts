/** `POST /keys/:id/reroll`. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';

onBothDatabases((app) => {
  test('201 with the new key, 200 for a retry, 422 for another request under its name, 409 the second time', async () => {
    const token = await app().token(freshSubject());
    const { id, key } = await app().makeKey(token);
    const reroll = (name: string, body: object) =>
      app().call('POST', `/keys/${id}/reroll`, { token, body, headers: { 'idempotency-key': name } });
    const made = await reroll('a', { grace_seconds: 60 });
    expect([made.status, made.body.rerolled_from]).toEqual([201, id]);
    expect(made.body.key).not.toBe(key);
    const replayed = await reroll('a', { grace_seconds: 60 });
    expect([replayed.status, replayed.body.id, replayed.body.key]).toEqual([200, made.body.id, null]);
    expect(replayed.headers['idempotency-replayed']).toBe('true');
    expect(refusalOf(await reroll('a', {}))).toBe('422 ERR_IDEMPOTENCY_MISMATCH');
    expect(refusalOf(await reroll('b', {}))).toBe('409 ERR_API_KEY_STATE');
  });

  test('404 for another’s key, as for none', async () => {
    const { id } = await app().makeKey(await app().token(freshSubject()));
    const token = await app().token(freshSubject());
    for (const other of [id, 999_999])
      expect(refusalOf(await app().call('POST', `/keys/${other}/reroll`, { token, body: {} }))).toBe(
        '404 ERR_NOT_FOUND',
      );
  });

  refusesAsEveryRoute(app, {
    method: 'POST',
    path: '/keys/999999/reroll',
    body: { grace_seconds: 0 },
    scope: 'keys:write',
    table: 'api_keys',
    malformed: [
      ...['x', '0', '-1', '4.7', '0x1', '01', '9007199254740992'].map(
        (id) => [{ path: `/keys/${id}/reroll` }, 'id'] as const,
      ),
      [{ body: { grace_seconds: -1 } }, 'grace_seconds'],
      [{ body: { grace_seconds: 2_592_001 } }, 'grace_seconds'],
      [{ body: { unknown: 1 } }, 'unknown'],
    ],
  });
});
