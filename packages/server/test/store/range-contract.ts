/** What the range repository of every store promises. */
import { describe, expect, it } from 'vitest';
import type { NewRange, Store } from '../../src/store/store.js';
import { NEW_RUN, type WithStore, withOneStore, withTwoStores } from './store-under-test.js';

function range(seq: number, changed: Partial<NewRange> = {}): NewRange {
  return { pass: 1, seq, tableName: 't', part: 'key', cursor: null, upper: null, ...changed };
}

const worker = (owner: string, declaration = 'd') => ({ owner, declaration });

/** A run under way with some ranges. */
async function begin(store: Store, ranges: readonly NewRange[]): Promise<{ id: number; fence: number }> {
  const { id } = await store.runs.create(NEW_RUN);
  const fence = (await store.runs.claim(id, 'driver', 60, false)) as number;
  await store.runs.update(id, fence, { status: 'in_progress', declaration: 'd' });
  await store.ranges.create(id, fence, ranges);
  return { id, fence };
}

export function rangeContract(name: string, withStore: WithStore): void {
  describe(`${name}: ranges`, () => {
    it('of each pass are there in their order', () =>
      withOneStore(withStore, async (store) => {
        const whole = range(1, { pass: 2, part: 'null-key', cursor: '[["integer","1"]]', upper: '[["integer","9"]]' });
        const { id } = await begin(store, [range(2, { tableName: 'u' }), range(1), whole]);
        expect((await store.ranges.list(id, 1)).map(({ seq, tableName }) => [seq, tableName])).toEqual([
          [1, 't'],
          [2, 'u'],
        ]);
        expect(await store.ranges.list(id, 2)).toEqual([
          { id: expect.any(Number), runId: id, ...whole, state: 'open', owner: null, fence: 0, counts: '{}' },
        ]);
        expect(await store.ranges.list(99, 1)).toEqual([]);
      }));

    it('are made all of them or none, more than one statement holds, and not under an old fence', () =>
      withOneStore(withStore, async (store) => {
        const { id, fence } = await begin(store, []);
        const ranges = Array.from({ length: 2_500 }, (_, seq) => range(seq));
        await expect(store.ranges.create(id, fence, [...ranges, range(7)])).rejects.toMatchObject({
          code: 'ERR_DATABASE_FAILED',
          message: expect.stringMatching(/SQLITE_CONSTRAINT_UNIQUE|23505/),
        });
        expect(await store.ranges.create(id, fence - 1, ranges)).toBe(false);
        expect(await store.ranges.list(id, 1)).toEqual([]);
        expect(await store.ranges.create(id, fence, ranges)).toBe(true);
        expect((await store.ranges.list(id, 1)).map(({ seq }) => seq)).toEqual(ranges.map(({ seq }) => seq));
      }));

    it('are claimed by one worker each, in their order, only those of the present pass', () =>
      withTwoStores(withStore, async (first, second) => {
        const { id, fence } = await begin(first, [range(0), range(1), range(2), range(0, { pass: 2 })]);
        const claims = await Promise.all(
          Array.from({ length: 12 }, (_, i) => (i % 2 ? first : second).ranges.claim(id, worker(`w${i}`), 60, [])),
        );
        expect(
          claims
            .map((claim) => claim?.seq)
            .filter((seq) => seq !== undefined)
            .toSorted(),
        ).toEqual([0, 1, 2]);
        const [claimed] = await first.ranges.list(id, 1);
        expect(claimed).toMatchObject({ state: 'running', owner: expect.stringMatching(/^w\d+$/), fence: 1 });
        expect(await first.ranges.isClaimable(id, [])).toBe(false);
        await first.runs.update(id, fence, { pass: 2 });
        expect(await first.ranges.isClaimable(id, [])).toBe(true);
        expect(await first.ranges.claim(id, worker('a'), 60, [])).toMatchObject({ pass: 2, seq: 0 });
      }));

    it('go to another worker when the lease is over, or the worker is gone, and not before', () =>
      withOneStore(withStore, async (store, { execute }) => {
        const { id } = await begin(store, [range(0)]);
        const { id: rangeId, fence } = (await store.ranges.claim(id, worker('a'), 60, [])) ?? { id: -1, fence: -1 };
        expect(await store.ranges.owners(id)).toEqual(['a']);
        expect(await store.ranges.claim(id, worker('b'), 60, ['c'])).toBeNull();
        await execute('update {t}sweep_ranges set lease_until = 1');
        expect(await store.ranges.heartbeat(rangeId, fence, 60)).toBe(true);
        expect(await store.ranges.claim(id, worker('b'), 60, [])).toBeNull();
        await execute('update {t}sweep_ranges set lease_until = 1');
        expect(await store.ranges.claim(id, worker('b'), 60, [])).toMatchObject({ owner: 'b', fence: fence + 1 });
        expect(await store.ranges.heartbeat(rangeId, fence, 60)).toBe(false);
        expect(await store.ranges.claim(id, worker('c'), 60, ['b'])).toMatchObject({ owner: 'c', fence: fence + 2 });
      }));

    it('tell how far a run is: what later passes rewrote counts once more', () =>
      withOneStore(withStore, async (store, { execute }) => {
        const { id, fence } = await begin(store, [range(0), range(1), range(0, { pass: 2 }), range(0, { pass: 3 })]);
        await store.runs.update(id, fence, { counts: { total: 9, rotated: 0, current: 0, skipped: 0, failed: 0 } });
        const tally = { total: 5, rotated: 1, current: 1, skipped: 1, failed: 1, held: {} };
        await execute(`update {t}sweep_ranges set counts = '${JSON.stringify({ a: tally, b: tally })}' where seq = 0`);
        const counts = { total: 12, rotated: 4, current: 2, skipped: 2, failed: 2 };
        expect(await store.runs.get(id)).toMatchObject({ counts });
        expect(await store.runs.list(1)).toMatchObject([{ counts }]);
      }));

    it('are claimed only under the declaration that the run is driven under, and by its driver alone if it is solo', () =>
      withOneStore(withStore, async (store) => {
        const { id, fence } = await begin(store, [range(0), range(1), range(2)]);
        expect(await store.ranges.claim(id, worker('a', 'other'), 60, [])).toBeNull();
        expect(await store.ranges.claim(id, worker('a'), 60, [])).toMatchObject({ seq: 0 });
        await store.runs.update(id, fence, { solo: true });
        expect(await store.ranges.claim(id, worker('a'), 60, [])).toBeNull();
        expect(await store.ranges.claim(id, worker('driver'), 60, [])).toMatchObject({ seq: 0 });
        await store.runs.update(id, fence, { solo: false, declaration: 'other' });
        expect(await store.ranges.claim(id, worker('a'), 60, [])).toBeNull();
        expect(await store.ranges.claim(id, worker('a', 'other'), 60, [])).toMatchObject({ seq: 1 });
      }));

    it('are fenced off from helpers when the run becomes solo', () =>
      withOneStore(withStore, async (store) => {
        const { id, fence } = await begin(store, [range(0)]);
        const claimed = await store.ranges.claim(id, worker('helper'), 60, []);
        await store.runs.update(id, fence, { status: 'in_progress', solo: true });
        expect(await store.ranges.heartbeat(claimed?.id ?? -1, claimed?.fence ?? -1, 60)).toBe(false);
        expect(await store.ranges.list(id, 1)).toMatchObject([{ state: 'open', owner: null }]);
      }));

    it('of a decryption are claimed only while somebody drives it', () =>
      withOneStore(withStore, async (store, { execute }) => {
        const { id } = await begin(store, [range(0)]);
        await execute("update {t}encryption_key_rotations set kind = 'decrypt', lease_until = 1");
        expect(await store.ranges.claim(id, worker('a'), 60, [])).toBeNull();
        expect(await store.ranges.isClaimable(id, [])).toBe(false);
      }));

    it('that are released can be claimed at once; a late release changes nothing', () =>
      withOneStore(withStore, async (store) => {
        const { id } = await begin(store, [range(0)]);
        const first = await store.ranges.claim(id, worker('a'), 60, []);
        await store.ranges.release(first?.id ?? -1, first?.fence ?? -1);
        expect(await store.ranges.list(id, 1)).toMatchObject([{ state: 'open', owner: null }]);
        const second = await store.ranges.claim(id, worker('b'), 60, []);
        expect(second).toMatchObject({ owner: 'b', fence: 2 });
        await store.ranges.release(first?.id ?? -1, first?.fence ?? -1);
        expect(await store.ranges.list(id, 1)).toMatchObject([{ state: 'running', owner: 'b' }]);
      }));

    it.each([
      ['paused', (store: Store, id: number) => store.runs.stop(id, 'paused')],
      ['cancelled', (store: Store, id: number) => store.runs.stop(id, 'cancelled')],
      ['failed', (store: Store, id: number, fence: number) => store.runs.update(id, fence, { status: 'failed' })],
      ['pending', (store: Store, id: number, fence: number) => store.runs.update(id, fence, { status: 'pending' })],
    ] as const)('of a run that is %s fence their workers off, and nobody claims them', (_, stop) =>
      withOneStore(withStore, async (store) => {
        const { id, fence } = await begin(store, [range(0), range(1)]);
        const claimed = await store.ranges.claim(id, worker('a'), 60, []);
        expect(await stop(store, id, fence)).toBe(true);
        expect(await store.ranges.heartbeat(claimed?.id ?? -1, claimed?.fence ?? -1, 60)).toBe(false);
        expect(await store.ranges.list(id, 1)).toMatchObject([
          { state: 'open', owner: null, fence: 2 },
          { state: 'open', owner: null, fence: 0 },
        ]);
        expect(await store.ranges.isClaimable(id, [])).toBe(false);
        expect(await store.ranges.claim(id, worker('b'), 60, [])).toBeNull();
      }),
    );
  });
}
