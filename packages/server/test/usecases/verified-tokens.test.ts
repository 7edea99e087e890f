import { expect, it } from 'vitest';
import type { Principal } from '../../src/auth/principal.js';
import { VerifiedTokens } from '../../src/usecases/verified-tokens.js';

const principal: Principal = { kind: 'user', subject: 'ada', isAdmin: false, scopes: null, apiKeyId: null };

function tokenUntil(exp: number | undefined, name = 'a'): string {
  return `${name}.${Buffer.from(JSON.stringify({ sub: 'ada', exp })).toString('base64url')}.s`;
}

function counted() {
  const times = { monotonic: 0, wall: 1_000_000_000_000 };
  const asked: string[] = [];
  const tokens = new VerifiedTokens(
    async (token) => {
      asked.push(token);
      if (token.startsWith('bad')) throw new Error('refused');
      return principal;
    },
    (token) => `hash of ${token}`,
    { monotonicMs: () => times.monotonic, wallMs: () => times.wall },
  );
  return { times, asked, tokens };
}

it('a token that was verified is not verified again for ten seconds, and never behind its end', async () => {
  const { times, asked, tokens } = counted();
  const [long, short] = [tokenUntil(1_000_003_600), tokenUntil(1_000_000_005)];
  for (const token of [long, short, long, short]) expect(await tokens.verify(token)).toBe(principal);
  expect(asked).toEqual([long, short]);
  times.monotonic += 5000;
  times.wall += 5000;
  await tokens.verify(short);
  await tokens.verify(long);
  expect(asked).toEqual([long, short, short]);
  times.monotonic += 5000;
  await tokens.verify(long);
  expect(asked).toEqual([long, short, short, long]);
});

it('a token that is refused, or has no end, is verified each time', async () => {
  const { asked, tokens } = counted();
  for (let i = 0; i < 2; i++) {
    await expect(tokens.verify(tokenUntil(1_000_003_600, 'bad'))).rejects.toThrow('refused');
    await tokens.verify(tokenUntil(undefined, 'endless'));
  }
  expect(asked).toHaveLength(4);
});

it('no more than a thousand tokens are kept', async () => {
  const { asked, tokens } = counted();
  const all = Array.from({ length: 1001 }, (_, i) => tokenUntil(1_000_003_600, String(i)));
  for (const token of all) await tokens.verify(token);
  await tokens.verify(all[1000] as string);
  await tokens.verify(all[0] as string);
  expect(asked).toHaveLength(1002);
});
