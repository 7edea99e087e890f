/** What the figures of every store promise. */
import { describe, expect, it } from 'vitest';
import { NO_LIMITS } from '../../src/store/store.js';
import { NEW_RUN, type WithStore, withOneStore } from './store-under-test.js';

const DAY_MS = 86_400_000;
/** A time so many days from now; an hour of room, so that no clock is at the border. */
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS - 3_600_000).toISOString();

export function figureContract(name: string, withStore: WithStore): void {
  describe(`${name}: the figures`, () => {
    it('count API keys by state, and those that expire soon', () =>
      withOneStore(withStore, async (store, { execute }) => {
        const insert = (prefix: string, expiresAt: string | null) =>
          store.apiKeys.insert({
            ...{ userId: '1', name: 'k', prefix, keyHash: null, rowMac: null, encryptedKey: null, scopes: [] },
            ...{ createdAt: inDays(-10), expiresAt, ...NO_LIMITS, rerolledFrom: null },
          });
        expect(await store.figures.apiKeyStates()).toEqual({ active: 0, disabled: 0, expired: 0, revoked: 0 });
        for (const [prefix, days] of Object.entries({ a: -1, b: 1, c: 7, d: 8, e: 30, f: 31, g: 2, h: 3 }))
          await insert(prefix, inDays(days));
        await insert('i', null);
        const [revoked] = await store.apiKeys.findByPrefixes(['g']);
        await store.apiKeys.revoke(revoked?.id as number, { by: '1', reason: null });
        await execute("update {t}api_keys set disabled_at = created_at where prefix = 'h'");
        expect(await store.figures.apiKeyStates()).toEqual({ active: 6, disabled: 1, expired: 1, revoked: 1 });
        await execute("update {t}api_keys set disabled_at = created_at where prefix = 'a'");
        expect(await store.figures.apiKeyStates()).toEqual({ active: 6, disabled: 2, expired: 0, revoked: 1 });
        expect([await store.figures.apiKeysExpiring(7), await store.figures.apiKeysExpiring(30)]).toEqual([3, 5]);
      }));

    it('count runs by kind and status, and the ranges of a pass by state', () =>
      withOneStore(withStore, async (store) => {
        const { id } = await store.runs.create(NEW_RUN);
        await store.runs.create(NEW_RUN);
        await store.runs.create({ ...NEW_RUN, kind: 'verify' });
        await store.runs.stop(id, 'cancelled');
        const runs = await store.figures.runs();
        expect(runs.sort((a, b) => `${a.kind}${a.status}`.localeCompare(`${b.kind}${b.status}`))).toEqual([
          { kind: 'rotate', status: 'cancelled', count: 1 },
          { kind: 'rotate', status: 'pending', count: 1 },
          { kind: 'verify', status: 'pending', count: 1 },
        ]);
        const fence = (await store.runs.claim(2, 'me', 15, false)) as number;
        const range = { pass: 1, tableName: 't', part: 'key', cursor: null, upper: null } as const;
        await store.ranges.create(2, fence, [
          { ...range, seq: 1 },
          { ...range, seq: 2 },
          { ...range, seq: 3, pass: 2 },
        ]);
        expect(await store.figures.ranges(2, 1)).toEqual([{ state: 'open', count: 2 }]);
        await store.figures.answers();
      }));
  });
}
