/** What the counting of uses promises on every store. */
import { describe, expect, it } from 'vitest';
import type { UseLimits } from '../../src/store/store.js';
import { KEY } from './api-key-contract.js';
import { RFC_3339_UTC, type WithStore, withOneStore, withTwoStores } from './store-under-test.js';

const limits = (change: Partial<UseLimits>): UseLimits => ({
  rateLimit: null,
  rateWindowSeconds: null,
  quota: null,
  ...change,
});

function countsOf(results: readonly { readonly result: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { result } of results) counts[result] = (counts[result] ?? 0) + 1;
  return counts;
}

export function apiKeyUsageContract(name: string, withStore: WithStore): void {
  describe(`${name}: the uses of an API key`, () => {
    it('at once over two connections are permitted exactly up to the rate limit and to the quota', () =>
      withTwoStores(withStore, async (first, second) => {
        const useBoth = (id: number, given: UseLimits) =>
          Promise.all(
            Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? first : second).apiKeyUsage.consume(id, given)),
          );
        const limited = await useBoth(1, limits({ rateLimit: 50, rateWindowSeconds: 3600 }));
        expect(countsOf(limited)).toEqual({ used: 50, rate_limited: 150 });
        const lefts = limited.filter(({ result }) => result === 'used').map(({ remaining }) => remaining);
        expect(lefts.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 50 }, (_, i) => i));
        expect(countsOf(await useBoth(2, limits({ quota: 50 })))).toEqual({ used: 50, quota_exceeded: 150 });
      }));

    it('begin a new window when the last one is over, or lies in a future that a clock set back has made', () =>
      withOneStore(withStore, async (store, { execute }) => {
        const given = limits({ rateLimit: 2, rateWindowSeconds: 60 });
        const use = async () => (await store.apiKeyUsage.consume(1, given)).result;
        expect([await use(), await use(), await use()]).toEqual(['used', 'used', 'rate_limited']);
        const refused = await store.apiKeyUsage.consume(1, given);
        expect(refused.remaining).toBe(0);
        expect(refused.resetMs).toBeGreaterThan(0);
        expect(refused.resetMs).toBeLessThanOrEqual(60_000);
        for (const shift of ['- 60001', '+ 86400000']) {
          await execute(`update {t}api_key_usage set window_started = window_started ${shift}`);
          expect([await use(), await use(), await use()]).toEqual(['used', 'used', 'rate_limited']);
        }
      }));

    it('that are refused count for neither limit, and a quota goes on over windows', () =>
      withOneStore(withStore, async (store, { execute }) => {
        const given = limits({ rateLimit: 2, rateWindowSeconds: 60, quota: 3 });
        const use = async () => (await store.apiKeyUsage.consume(1, given)).result;
        expect([await use(), await use(), await use()]).toEqual(['used', 'used', 'rate_limited']);
        await execute('update {t}api_key_usage set window_started = window_started - 60001');
        expect([await use(), await use()]).toEqual(['used', 'quota_exceeded']);
        expect(await execute('select window_count, quota_used from {t}api_key_usage')).toEqual([
          { window_count: expect.anything(), quota_used: expect.anything() },
        ]);
        const [row] = await execute('select quota_used from {t}api_key_usage');
        expect(Number(row?.['quota_used'])).toBe(3);
        expect((await store.apiKeyUsage.consume(2, limits({ quota: 0 }))).result).toBe('quota_exceeded');
      }));

    it('are remembered with their time, many in one statement, and never an earlier one', () =>
      withOneStore(withStore, async (store, { execute }) => {
        const ids: number[] = [];
        for (const prefix of ['pk_1', 'pk_2', 'pk_3']) ids.push((await store.apiKeys.insert({ ...KEY, prefix })).id);
        const [first, second, third] = ids as [number, number, number];
        expect(await store.apiKeyUsage.markUsed([])).toEqual([]);
        const uses = [
          { id: second, agoMs: 3_600_000 },
          { id: first, agoMs: 0 },
        ];
        expect((await store.apiKeyUsage.markUsed(uses)).toSorted()).toEqual([first, second]);
        const lastUsed = async (id: number) => (await store.apiKeys.get(id))?.lastUsedAt ?? null;
        const [now, earlier] = [await lastUsed(first), await lastUsed(second)];
        expect(now).toMatch(RFC_3339_UTC);
        expect(Math.abs(Date.parse(String(now)) - Date.now())).toBeLessThan(60_000);
        expect(Math.abs(Date.parse(String(now)) - Date.parse(String(earlier)) - 3_600_000)).toBeLessThan(60_000);
        expect(await lastUsed(third)).toBeNull();
        await execute(`update {t}api_keys set last_used_at = '2126-01-01T00:00:00.000Z'`);
        await store.apiKeyUsage.markUsed([{ id: first, agoMs: 0 }]);
        expect(await lastUsed(first)).toBe('2126-01-01T00:00:00.000Z');
      }));
  });
}
