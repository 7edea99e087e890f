/** What every store promises, whatever database it is on. */
import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/store/store.js';
import { keyringContract, RING } from './keyring-contract.js';
import { runContract } from './run-contract.js';
import { NEW_RUN, RFC_3339_UTC, type WithStore, withOneStore, withTwoStores } from './store-under-test.js';

export function storeContract(name: string, withStore: WithStore): void {
  keyringContract(name, withStore);
  runContract(name, withStore);

  describe(`${name}: the audit log`, () => {
    it('gives a row its id and time, and leaves out what is not known', () =>
      withOneStore(withStore, async (store) => {
        const row = await store.audit.insert({ action: 'key_rotated', resourceType: 'key', status: 'success' });
        expect(row).toEqual({
          id: 1,
          userId: null,
          action: 'key_rotated',
          resourceType: 'key',
          resourceId: null,
          ipAddress: null,
          status: 'success',
          timestamp: expect.stringMatching(RFC_3339_UTC),
          details: null,
          requestId: null,
          userAgent: null,
        });
        const full = {
          action: 'key_rotated',
          resourceType: 'run',
          status: 'failure' as const,
          userId: '7',
          resourceId: '12',
          ipAddress: '::1',
          details: '{"from":"v1"}',
          requestId: 'r-1',
          userAgent: 'curl',
        };
        expect(await store.audit.insert(full)).toMatchObject(full);
      }));

    it('is listed newest first, by action and by type of resource', () =>
      withOneStore(withStore, async (store) => {
        for (const [action, resourceType] of [
          ['a', 'key'],
          ['b', 'key'],
          ['a', 'run'],
          ['a', 'key'],
        ] as const) {
          await store.audit.insert({ action, resourceType, status: 'success' });
        }
        const ids = async (filter: { action?: string; resourceType?: string; limit: number }) =>
          (await store.audit.list(filter)).map(({ id }) => id);
        expect(await ids({ limit: 3 })).toEqual([4, 3, 2]);
        expect(await ids({ action: 'a', limit: 10 })).toEqual([4, 3, 1]);
        expect(await ids({ action: 'a', resourceType: 'key', limit: 10 })).toEqual([4, 1]);
      }));
  });

  describe(`${name}: the store`, () => {
    it('finds everything again after it was closed', () =>
      withOneStore(withStore, async (store, { open }) => {
        await store.keyring.save(RING, null);
        await store.runs.create(NEW_RUN);
        await store.close();
        const again = await open();
        expect(await again.keyring.load()).toEqual(RING);
        expect((await again.runs.list(1))[0]?.notes).toBe('quarterly');
      }));

    it('runs transactions of two processes one after the other where they meet', () =>
      withTwoStores(withStore, async (first, second) => {
        const { id } = await first.runs.create(NEW_RUN);
        const fence = (await first.runs.claim(id, 'a', 60, false)) ?? -1;
        // The read and the write of each are one transaction; without a lock from its start, an addition would be lost.
        const addOne = (store: Store) =>
          store.transaction(async (tx) => {
            await tx.runs.heartbeat(id, fence, 60);
            const run = await tx.runs.get(id);
            if (!run) throw new Error('the run is there');
            await tx.runs.update(id, fence, { counts: { ...run.counts, total: run.counts.total + 1 } });
          });
        await Promise.all(Array.from({ length: 10 }, () => [addOne(first), addOne(second)]).flat());
        expect((await first.runs.get(id))?.counts.total).toBe(20);
      }));
  });
}
