/** What every store promises, whatever database it is on. */
import { describe, expect, it } from 'vitest';
import type { AuditFilter, Store } from '../../src/store/store.js';
import { apiKeyContract } from './api-key-contract.js';
import { apiKeyUsageContract } from './api-key-usage-contract.js';
import { auditContract } from './audit-contract.js';
import { figureContract } from './figure-contract.js';
import { keyringContract, RING } from './keyring-contract.js';
import { rangeContract } from './range-contract.js';
import { runContract } from './run-contract.js';
import { scheduleContract } from './schedule-contract.js';
import { NEW_RUN, RFC_3339_UTC, type WithStore, withOneStore, withTwoStores } from './store-under-test.js';
import { subjectKeyContract } from './subject-key-contract.js';

export function storeContract(name: string, withStore: WithStore): void {
  keyringContract(name, withStore);
  runContract(name, withStore);
  rangeContract(name, withStore);
  scheduleContract(name, withStore);
  apiKeyContract(name, withStore);
  apiKeyUsageContract(name, withStore);
  subjectKeyContract(name, withStore);
  auditContract(name, withStore);
  figureContract(name, withStore);

  describe(`${name}: the audit log`, () => {
    it('tells the time that a row would get', () =>
      withOneStore(withStore, async (store) => {
        const before = await store.audit.insert({ action: 'a', resourceType: 'key', status: 'success' });
        const now = await store.audit.now();
        const after = await store.audit.insert({ action: 'a', resourceType: 'key', status: 'success' });
        expect(now).toMatch(RFC_3339_UTC);
        expect([before.timestamp, now, after.timestamp].sort()).toEqual([before.timestamp, now, after.timestamp]);
      }));

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

    it('is filtered by everything that is asked for at once, and counted the same way', () =>
      withOneStore(withStore, async (store) => {
        const rows = [
          { action: 'a', resourceType: 'key', status: 'success', userId: '7', resourceId: '1' },
          { action: 'a', resourceType: 'key', status: 'failure', userId: '7', resourceId: '2' },
          { action: 'a', resourceType: 'key', status: 'success', userId: '8', resourceId: '1' },
          { action: 'b', resourceType: 'run', status: 'success', resourceId: '1' },
        ] as const;
        for (const row of rows) await store.audit.insert(row);
        const filters: [AuditFilter, number[]][] = [
          [{}, [4, 3, 2, 1]],
          [{ userId: '7' }, [2, 1]],
          [{ status: 'failure' }, [2]],
          [{ resourceId: '1' }, [4, 3, 1]],
          [{ resourceType: 'run' }, [4]],
          [{ action: 'a', resourceType: 'key', status: 'success', userId: '7', resourceId: '1' }, [1]],
          [{ userId: "7' or '1' = '1" }, []],
        ];
        for (const [filter, ids] of filters) {
          expect((await store.audit.list({ ...filter, limit: 10 })).map(({ id }) => id)).toEqual(ids);
          expect(await store.audit.count(filter)).toBe(ids.length);
        }
      }));

    it('goes on behind a row, page by page', () =>
      withOneStore(withStore, async (store) => {
        for (let count = 0; count < 5; count++) {
          await store.audit.insert({ action: 'a', resourceType: 'key', status: 'success' });
        }
        const page = async (beforeId?: number) =>
          (await store.audit.list({ action: 'a', limit: 2, ...(beforeId && { beforeId }) })).map(({ id }) => id);
        expect(await page()).toEqual([5, 4]);
        expect(await page(4)).toEqual([3, 2]);
        expect(await page(2)).toEqual([1]);
        expect(await page(1)).toEqual([]);
      }));

    it('is cut at times that may be written in any zone: from is inside, until is not', () =>
      withOneStore(withStore, async (store, { execute }) => {
        for (const hour of ['10', '11', '12']) {
          await execute(`insert into {t}audit_logs (action, resource_type, status, timestamp)
            values ('a', 'key', 'success', '2026-02-26T${hour}:00:00.000Z')`);
        }
        const ids = async (filter: AuditFilter) =>
          (await store.audit.list({ ...filter, limit: 10 })).map(({ id }) => id);
        expect(await ids({ from: '2026-02-26T11:00:00Z' })).toEqual([3, 2]);
        expect(await ids({ until: '2026-02-26T11:00:00Z' })).toEqual([1]);
        expect(await ids({ from: '2026-02-26T12:00:00+01:00', until: '2026-02-26T12:00:00.001Z' })).toEqual([3, 2]);
        expect(await store.audit.count({ from: '2026-02-26T11:00:00Z', until: '2026-02-26T12:00:00Z' })).toBe(1);
        await expect(store.audit.count({ from: 'yesterday' })).rejects.toThrow(RangeError);
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
