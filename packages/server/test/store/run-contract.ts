/** What the run repository of every store promises. */
import { describe, expect, it, vi } from 'vitest';
import { NEW_RUN, RFC_3339_UTC, type WithStore, withOneStore, withTwoStores } from './store-under-test.js';

export function runContract(name: string, withStore: WithStore): void {
  describe(`${name}: a run`, () => {
    it('begins pending, unclaimed and at zero, with its times in UTC', () =>
      withOneStore(withStore, async (store) => {
        const run = await store.runs.create(NEW_RUN);
        expect(run).toEqual({
          id: 1,
          ...NEW_RUN,
          status: 'pending',
          createdAt: expect.stringMatching(RFC_3339_UTC),
          updatedAt: expect.stringMatching(RFC_3339_UTC),
          completedAt: null,
          counts: { total: 0, rotated: 0, current: 0, skipped: 0, failed: 0 },
          errorDetails: null,
          pass: 1,
          owner: null,
          leased: false,
          fence: 0,
          report: null,
          solo: false,
          declaration: null,
        });
        expect(Math.abs(Date.parse(run.createdAt) - Date.now())).toBeLessThan(60_000);
        expect(await store.runs.get(run.id)).toEqual(run);
        expect(await store.runs.get(99)).toBeNull();
      }));

    it('is listed newest first, and oldest first among the unfinished', () =>
      withOneStore(withStore, async (store) => {
        const ids: number[] = [];
        for (let count = 0; count < 4; count++) ids.push((await store.runs.create(NEW_RUN)).id);
        await store.runs.stop(2, 'cancelled');
        expect(ids).toEqual([1, 2, 3, 4]);
        expect((await store.runs.list(3)).map(({ id }) => id)).toEqual([4, 3, 2]);
        await store.runs.create({ ...NEW_RUN, kind: 'verify' });
        expect((await store.runs.list(3, { kind: NEW_RUN.kind })).map(({ id }) => id)).toEqual([4, 3, 2]);
        expect((await store.runs.list(3, { beforeId: 3 })).map(({ id }) => id)).toEqual([2, 1]);
        expect((await store.runs.list(3, { kind: 'verify', beforeId: 5 })).map(({ id }) => id)).toEqual([]);
        expect((await store.runs.unfinished()).map(({ id }) => id)).toEqual([1, 3, 4, 5]);
      }));

    it('is claimed by exactly one of several that try at once', () =>
      withTwoStores(withStore, async (first, second) => {
        const { id } = await first.runs.create(NEW_RUN);
        const claims = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            (index % 2 ? first : second).runs.claim(id, `driver-${index}`, 60, false),
          ),
        );
        expect(claims.filter((fence) => fence !== null)).toEqual([1]);
        expect(await first.runs.get(id)).toMatchObject({
          owner: expect.stringMatching(/^driver-/),
          leased: true,
          fence: 1,
        });
      }));

    it('is taken over when its lease is over, and not before', () =>
      withTwoStores(withStore, async (first, second) => {
        const { id } = await first.runs.create(NEW_RUN);
        expect(await first.runs.claim(id, 'a', 0.3, false)).toBe(1);
        expect(await second.runs.claim(id, 'b', 60, false)).toBeNull();
        await expect.poll(() => second.runs.claim(id, 'b', 60, false)).toBe(2);
        expect(await second.runs.get(id)).toMatchObject({ owner: 'b', leased: true, fence: 2 });
      }));

    it('is leased by the clock of the database, whatever the clock of the process says', () =>
      withTwoStores(withStore, async (first, second) => {
        const { id } = await first.runs.create(NEW_RUN);
        await first.runs.claim(id, 'a', 60, false);
        vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 86_400_000 });
        try {
          expect(await second.runs.claim(id, 'b', 60, false)).toBeNull();
          expect((await second.runs.get(id))?.leased).toBe(true);
        } finally {
          vi.useRealTimers();
        }
      }));

    it('is taken from a living owner by who insists, and its owner may claim it again', () =>
      withTwoStores(withStore, async (first, second) => {
        const { id } = await first.runs.create(NEW_RUN);
        expect(await first.runs.claim(id, 'a', 60, false)).toBe(1);
        expect(await first.runs.claim(id, 'a', 60, false)).toBe(2);
        expect(await second.runs.claim(id, 'b', 60, true)).toBe(3);
      }));

    it('writes nothing for a driver whose fence is old', () =>
      withTwoStores(withStore, async (first, second) => {
        const { id } = await first.runs.create(NEW_RUN);
        const old = await first.runs.claim(id, 'a', 60, false);
        await second.runs.claim(id, 'b', 60, true);
        const before = await second.runs.get(id);
        if (old === null) throw new Error('the first claim wins');
        expect(await first.runs.update(id, old, { status: 'failed', errorDetails: 'late', release: true })).toBe(false);
        expect(await first.runs.heartbeat(id, old, 600)).toBe(false);
        expect(await first.runs.get(id)).toEqual(before);
      }));

    it('takes each change that its driver makes, and keeps the rest', () =>
      withOneStore(withStore, async (store) => {
        const { id } = await store.runs.create({ ...NEW_RUN, oldKeyVersion: null, newKeyVersion: null });
        const fence = (await store.runs.claim(id, 'a', 60, false)) ?? -1;
        const counts = { total: 15, rotated: 1, current: 2, skipped: 4, failed: 8 };
        expect(await store.runs.update(id, fence, { status: 'in_progress', counts, pass: 2 })).toBe(true);
        expect(
          await store.runs.update(id, fence, { oldKeyVersion: 'v3', newKeyVersion: 'v4', errorDetails: 'waits' }),
        ).toBe(true);
        expect(await store.runs.get(id)).toMatchObject({
          status: 'in_progress',
          counts,
          pass: 2,
          oldKeyVersion: 'v3',
          newKeyVersion: 'v4',
          errorDetails: 'waits',
          notes: 'quarterly',
          completedAt: null,
          owner: 'a',
          leased: true,
        });
        expect(await store.runs.update(id, fence, { errorDetails: null, report: '{"a":1}' })).toBe(true);
        expect(await store.runs.get(id)).toMatchObject({ errorDetails: null, report: '{"a":1}', counts });
      }));

    it('ends when its driver says so, and then neither moves nor is claimed again', () =>
      withOneStore(withStore, async (store) => {
        const { id } = await store.runs.create(NEW_RUN);
        const fence = (await store.runs.claim(id, 'a', 60, false)) ?? -1;
        expect(await store.runs.update(id, fence, { status: 'completed_with_failures', release: true })).toBe(true);
        const ended = await store.runs.get(id);
        expect(ended).toMatchObject({ owner: null, leased: false, completedAt: expect.stringMatching(RFC_3339_UTC) });
        expect(await store.runs.heartbeat(id, fence, 60)).toBe(false);
        expect(await store.runs.update(id, fence, { status: 'in_progress' })).toBe(false);
        expect(await store.runs.claim(id, 'b', 60, true)).toBeNull();
        expect(await store.runs.stop(id, 'cancelled')).toBe(false);
        expect(await store.runs.get(id)).toEqual(ended);
      }));

    it('that is released can be claimed at once', () =>
      withOneStore(withStore, async (store) => {
        const { id } = await store.runs.create(NEW_RUN);
        const fence = (await store.runs.claim(id, 'a', 60, false)) ?? -1;
        expect(await store.runs.update(id, fence, { status: 'paused', release: true })).toBe(true);
        expect(await store.runs.claim(id, 'b', 60, false)).toBe(2);
      }));

    it('stays with the driver whose heart beats', () =>
      withOneStore(withStore, async (store, { execute }) => {
        const { id } = await store.runs.create(NEW_RUN);
        const fence = (await store.runs.claim(id, 'a', 60, false)) ?? -1;
        await execute('update {t}encryption_key_rotations set lease_until = 1');
        expect((await store.runs.get(id))?.leased).toBe(false);
        expect(await store.runs.heartbeat(id, fence, 60)).toBe(true);
        expect((await store.runs.get(id))?.leased).toBe(true);
        expect(await store.runs.claim(id, 'b', 60, false)).toBeNull();
      }));

    it('that is cancelled fences its driver off', () =>
      withOneStore(withStore, async (store) => {
        const { id } = await store.runs.create(NEW_RUN);
        const fence = (await store.runs.claim(id, 'a', 60, false)) ?? -1;
        expect(await store.runs.stop(id, 'cancelled')).toBe(true);
        expect(await store.runs.heartbeat(id, fence, 60)).toBe(false);
        expect(await store.runs.update(id, fence, { report: '{}' })).toBe(false);
        expect(await store.runs.get(id)).toMatchObject({
          status: 'cancelled',
          owner: null,
          leased: false,
          fence: fence + 1,
          completedAt: expect.stringMatching(RFC_3339_UTC),
        });
        expect(await store.runs.stop(id, 'cancelled')).toBe(false);
        expect(await store.runs.stop(99, 'cancelled')).toBe(false);
      }));

    it('that is paused fences its driver off, and can be claimed again', () =>
      withOneStore(withStore, async (store) => {
        const { id } = await store.runs.create(NEW_RUN);
        const fence = (await store.runs.claim(id, 'a', 60, false)) ?? -1;
        await store.runs.update(id, fence, { errorDetails: 'It waits for something.' });
        expect(await store.runs.stop(id, 'paused')).toBe(true);
        expect(await store.runs.update(id, fence, { report: '{}' })).toBe(false);
        expect(await store.runs.get(id)).toMatchObject({
          status: 'paused',
          owner: null,
          leased: false,
          completedAt: null,
          errorDetails: null,
        });
        expect(await store.runs.claim(id, 'b', 60, false)).toBe(fence + 2);
      }));

    it('that is paused or solo is claimed by no worker', () =>
      withOneStore(withStore, async (store) => {
        const { id } = await store.runs.create(NEW_RUN);
        const fence = (await store.runs.claim(id, 'a', 60, false, 'worker')) ?? -1;
        expect(fence).toBe(1);
        await store.runs.update(id, fence, { status: 'in_progress', solo: true, release: true });
        expect(await store.runs.claim(id, 'b', 60, false, 'worker')).toBeNull();
        await store.runs.update(id, fence, { solo: false, status: 'paused' });
        expect(await store.runs.claim(id, 'b', 60, false, 'worker')).toBeNull();
        expect(await store.runs.claim(id, 'b', 60, false)).toBe(fence + 1);
      }));

    it('has its failures in order, counted by reason', () =>
      withOneStore(withStore, async (store, { execute }) => {
        const { id } = await store.runs.create(NEW_RUN);
        const other = await store.runs.create(NEW_RUN);
        await execute(`insert into {t}sweep_failures (run_id, table_name, column_name, primary_key, reason) values
          (${id}, 'users', 'ssn', '[2]', 'no_key'), (${id}, 'users', 'ssn', '[10]', 'no_key'),
          (${id}, 'users', 'phone', '[1]', 'too_long'), (${other.id}, 'users', 'ssn', '[1]', 'no_key')`);
        expect(await store.runs.failures(id, 2)).toEqual([
          { runId: id, tableName: 'users', columnName: 'phone', primaryKey: '[1]', reason: 'too_long' },
          { runId: id, tableName: 'users', columnName: 'ssn', primaryKey: '[10]', reason: 'no_key' },
        ]);
        expect(await store.runs.failureReasons(id)).toEqual([
          { tableName: 'users', columnName: 'phone', reason: 'too_long', count: 1 },
          { tableName: 'users', columnName: 'ssn', reason: 'no_key', count: 2 },
        ]);
        expect(await store.runs.failureReasons(99)).toEqual([]);
      }));

    it('records a value that cannot be read once', () =>
      withOneStore(withStore, async (_store, { execute }) => {
        const insert = `insert into {t}sweep_failures (run_id, table_name, column_name, primary_key, reason)
          values (1, 't', 'c', '[1]', 'no_key') on conflict do nothing`;
        await execute(insert);
        await execute(insert);
        expect(await execute('select reason from {t}sweep_failures')).toEqual([{ reason: 'no_key' }]);
      }));
  });
}
