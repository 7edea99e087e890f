/** `POST /keys/verify`. */
import { expect, test } from 'vitest';
import { refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';

onBothDatabases((app) => {
  const key = `pk_abc123_${'x'.repeat(32)}`;

  test('200 whether the key is valid or not, for a user and for a key with the scope', async () => {
    const subject = freshSubject();
    const token = await app().token(subject);
    const made = await app().apiKey(subject, ['read:a']);
    for (const caller of [token, await app().apiKey(freshSubject(), ['keys:verify'])]) {
      const verdict = async (body: object) => {
        const answer = await app().call('POST', '/keys/verify', { token: caller, body });
        return [answer.status, answer.body.valid, answer.body.code, answer.body.user_id];
      };
      expect(await verdict({ key: made, scopes: 'read:a' })).toEqual([200, true, 'VALID', subject]);
      expect(await verdict({ key: made, scopes: ['read:b'] })).toEqual([200, false, 'INSUFFICIENT_SCOPE', subject]);
      expect(await verdict({ key })).toEqual([200, false, 'NOT_FOUND', null]);
    }
  });

  refusesAsEveryRoute(app, {
    method: 'POST',
    path: '/keys/verify',
    // Of another shape than ours: such a key is always looked for.
    body: { key: 'other_0123456789abcdef' },
    scope: 'keys:verify',
    table: 'api_keys',
    isUnlimited: true,
    malformed: [
      [{ body: {} }, 'key'],
      [{ body: { key: 7 } }, 'key'],
      [{ body: { key, scopes: 7 } }, 'scopes'],
      [{ body: { key, ip: 7 } }, 'ip'],
      [{ body: { key, unknown: 1 } }, 'unknown'],
    ],
  });
});
