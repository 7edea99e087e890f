/** What every store promises of audit rows beyond inserting and listing them. */
import { describe, expect, it, vi } from 'vitest';
import type { AuditPosition, Store } from '../../src/store/store.js';
import { type WithStore, withOneStore, withTwoStores } from './store-under-test.js';

const ROW = { action: 'a', resourceType: 'key', status: 'success' } as const;
const HASH = 'ab'.repeat(32);

async function follow(store: Store, from: AuditPosition, limit = 10): Promise<[ids: number[], at: AuditPosition]> {
  const { rows, at } = await store.audit.follow(from, limit);
  return [rows.map(({ id }) => id), at];
}

export function auditContract(name: string, withStore: WithStore): void {
  describe(`${name}: an audit row`, () => {
    it('is neither changed, nor deleted, nor replaced by another of its id', () =>
      withOneStore(withStore, async (store, { execute }) => {
        await store.audit.insert({ ...ROW, values: { email: HASH } });
        await store.audit.permitDeletion(0, 'test');
        const statements = [
          "update {t}audit_logs set action = 'b'",
          'delete from {t}audit_logs',
          "update {t}audit_log_values set value_hash = 'b'",
          'delete from {t}audit_log_values',
          'update {t}audit_prunes set up_to_id = 9',
          'delete from {t}audit_prunes',
          ...(store.dialect === 'postgres'
            ? ['truncate {t}audit_logs', 'truncate {t}audit_log_values', 'truncate {t}audit_prunes']
            : [
                "insert or replace into audit_logs (id, action, resource_type, status) values (1, 'b', 'b', 'success')",
                "insert or replace into audit_log_values values (1, 'email', 'b')",
                "insert or replace into audit_prunes (id, up_to_id, by) values (1, 9, 'b')",
              ]),
        ];
        for (const statement of statements) {
          await expect(execute(statement), statement).rejects.toThrow(/audit rows are (never changed|deleted by)/);
        }
        expect(await store.audit.list({ limit: 10, value: { name: 'email', hash: HASH } })).toMatchObject([ROW]);
      }));

    it('may be deleted once that is permitted, up to the id that was named', () =>
      withOneStore(withStore, async (store, { execute }) => {
        for (let count = 0; count < 3; count++) await store.audit.insert({ ...ROW, values: { email: HASH } });
        await store.audit.permitDeletion(2, 'test');
        await execute('delete from {t}audit_log_values where audit_id <= 2');
        await execute('delete from {t}audit_logs where id <= 2');
        await expect(execute('delete from {t}audit_logs')).rejects.toThrow(/audit rows are deleted by/);
        expect((await store.audit.list({ limit: 10 })).map(({ id }) => id)).toEqual([3]);
        expect(await store.audit.get(2)).toBeNull();
        expect(await store.audit.get(3)).toMatchObject(ROW);
      }));

    it('is found by the hash of a value under its name, and by its address', () =>
      withOneStore(withStore, async (store) => {
        await store.audit.insert({ ...ROW, values: { email: HASH }, ipAddress: '::1' });
        await store.audit.insert({ ...ROW, values: { email: 'cd'.repeat(32), phone: HASH } });
        const filters = [
          [{ value: { name: 'email', hash: HASH } }, [1]],
          [{ value: { name: 'phone', hash: HASH } }, [2]],
          [{ value: { name: 'name', hash: HASH } }, []],
          [{ value: { name: 'email', hash: HASH }, ipAddress: '::2' }, []],
          [{ ipAddress: '::1' }, [1]],
        ] as const;
        for (const [filter, ids] of filters) {
          expect((await store.audit.list({ ...filter, limit: 10 })).map(({ id }) => id)).toEqual(ids);
          expect(await store.audit.count(filter)).toBe(ids.length);
        }
      }));

    it('and the values of it are written together or not at all', () =>
      withOneStore(withStore, async (store) => {
        const broken = store.transaction(async (tx) => {
          await tx.audit.insert({ ...ROW, values: { email: HASH } });
          throw new Error('the mutation failed');
        });
        await expect(broken).rejects.toThrow('the mutation failed');
        expect(await store.audit.count({})).toBe(0);
        expect(await store.audit.count({ value: { name: 'email', hash: HASH } })).toBe(0);
      }));
  });

  describe(`${name}: following the audit log`, () => {
    it('gives what is there, and then what comes, each once more at most', () =>
      withOneStore(withStore, async (store) => {
        for (let count = 0; count < 3; count++) await store.audit.insert(ROW);
        const start = await store.audit.startBehind(1);
        const [first, afterFirst] = await follow(store, start, 1);
        const [second, afterSecond] = await follow(store, afterFirst);
        expect([first, second]).toEqual([[2], [3]]);
        await store.audit.insert(ROW);
        // Other tests’ transactions on the same server hold up what comes.
        let at = afterSecond;
        const seen: number[] = [];
        await vi.waitFor(
          async () => {
            const [ids, next] = await follow(store, at);
            seen.push(...ids);
            at = next;
            expect(seen).toContain(4);
          },
          { timeout: 30_000 },
        );
        expect(seen.filter((id) => id === 4)).toHaveLength(1);
        expect(JSON.parse(JSON.stringify(at))).toEqual(at);
      }));

    it('never overlooks a row that commits late', () =>
      withTwoStores(withStore, async (first, second) => {
        // SQLite has one writer at a time: there is no late commit.
        if (first.dialect === 'sqlite') return;
        let at = await first.audit.startBehind(0);
        const seen: number[] = [];
        const read = async () => {
          const [ids, next] = await follow(first, at);
          seen.push(...ids);
          at = next;
        };
        await first.transaction(async (tx) => {
          const late = await tx.audit.insert(ROW);
          const early = await second.audit.insert(ROW);
          expect(early.id).toBeGreaterThan(late.id);
          for (let count = 0; count < 3; count++) {
            const { rows, at: next } = await second.audit.follow(at, 10);
            expect(rows).toEqual([]);
            at = next;
          }
        });
        await vi.waitFor(
          async () => {
            await read();
            expect(seen).toEqual([1, 2]);
          },
          { timeout: 30_000 },
        );
      }));

    it('is gone on with by one process of two', () =>
      withTwoStores(withStore, async (first, second) => {
        expect(await first.audit.streamCursor('siem')).toBeNull();
        expect(await first.audit.moveStream('siem', null, 'a')).toBe(true);
        expect(await second.audit.moveStream('siem', null, 'b')).toBe(false);
        expect(await second.audit.moveStream('siem', 'a', 'b')).toBe(true);
        expect(await first.audit.moveStream('siem', 'a', 'c')).toBe(false);
        expect(await first.audit.streamCursor('siem')).toBe('b');
      }));
  });
}
