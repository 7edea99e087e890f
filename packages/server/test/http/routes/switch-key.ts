/** What holds of `POST /keys/:id/disable` and of `/enable`, which takes it back. */
import { expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { type AppUnderTest, freshSubject } from '../with-app.ts';

/** @param before what makes a key ready for it */
export function switchesKeys(
  app: () => AppUnderTest,
  verb: 'disable' | 'enable',
  state: 'disabled' | 'active',
  before: (id: number, token: string) => Promise<unknown>,
): void {
  test('200 with the key as it is now, and 409 when it is so already, or revoked', async () => {
    const token = await app().token(freshSubject());
    const { id } = await app().makeKey(token);
    await before(id, token);
    const call = () => app().call('POST', `/keys/${id}/${verb}`, { token });
    const done = await call();
    expect([done.status, done.body.state]).toEqual([200, state]);
    expect(refusalOf(await call())).toBe('409 ERR_API_KEY_STATE');
    await app().call('DELETE', `/keys/${id}`, { token });
    expect(refusalOf(await call())).toBe('409 ERR_API_KEY_STATE');
  });

  test('404 for another’s key, as for none', async () => {
    const { id } = await app().makeKey(await app().token(freshSubject()));
    const token = await app().token(freshSubject());
    for (const other of [id, 999_999])
      expect(refusalOf(await app().call('POST', `/keys/${other}/${verb}`, { token }))).toBe('404 ERR_NOT_FOUND');
  });

  refusesAsEveryRoute(app, {
    method: 'POST',
    path: `/keys/999999/${verb}`,
    body: {},
    scope: 'keys:write',
    table: 'api_keys',
    malformed: [
      ...['x', '0', '-1', '4.7', '0x1', '01', '9007199254740992'].map(
        (id) => [{ path: `/keys/${id}/${verb}` }, 'id'] as const,
      ),
      [{ body: { unknown: 1 } }, 'unknown'],
    ],
  });
}
