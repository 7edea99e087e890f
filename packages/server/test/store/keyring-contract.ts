/** What the keyring repository of every store promises. */
import type { StoredKeyring } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { NEW_RUN, type WithStore, withOneStore, withTwoStores } from './store-under-test.js';

export const RING: StoredKeyring = {
  id: '00112233445566778899aabbccddeeff',
  generation: 1,
  keys: [
    {
      version: 'v1',
      purpose: 'audit-hmac',
      id: 0xffff_ffff,
      state: 'primary',
      createdAt: '2026-01-02T03:04:05.678Z',
      wraps: { '0011223344556677': 'AAAA' },
    },
    {
      version: 'v2',
      purpose: 'field',
      id: 7,
      state: 'primary',
      createdAt: '2026-01-02T03:04:05Z',
      wraps: { '0011223344556677': 'BBBB', '8899aabbccddeeff': 'CCCC' },
    },
    { version: 'v10', purpose: 'field', id: 8, state: 'pending', createdAt: '2026-01-02T03:04:06Z', wraps: {} },
  ],
  macs: { '0011223344556677': 'ab'.repeat(32) },
};

export function keyringContract(name: string, withStore: WithStore): void {
  describe(`${name}: the keyring`, () => {
    it('is null before the first one is saved, and afterwards comes back as it was given', () =>
      withOneStore(withStore, async (store) => {
        expect(await store.keyring.load()).toBeNull();
        await store.keyring.save(RING, null);
        expect(await store.keyring.load()).toEqual(RING);
      }));

    it('keeps the row of a destroyed key, without its wraps and with its time of creation', () =>
      withOneStore(withStore, async (store) => {
        await store.keyring.save(RING, null);
        const keys = RING.keys.map((key) =>
          key.version === 'v2' ? { ...key, state: 'destroyed' as const, wraps: {} } : key,
        );
        const next = { ...RING, generation: 2, keys };
        await store.keyring.save(next, 1);
        expect(await store.keyring.load()).toEqual(next);
      }));

    it('is saved by one of two processes that both saw the same generation', () =>
      withTwoStores(withStore, async (first, second) => {
        const created = await Promise.allSettled([first, second].map((store) => store.keyring.save(RING, null)));
        expectOneConflict(created);
        const next = { ...RING, generation: 2 };
        const changed = await Promise.allSettled([first, second].map((store) => store.keyring.save(next, 1)));
        expectOneConflict(changed);
        expect((await second.keyring.load())?.generation).toBe(2);
      }));

    it('is not overwritten by a save that expects another generation or none', () =>
      withOneStore(withStore, async (store) => {
        await store.keyring.save(RING, null);
        const keys = RING.keys.map((key) => ({ ...key, state: 'disabled' as const }));
        for (const expected of [null, 0, 2]) {
          await expect(store.keyring.save({ ...RING, generation: 3, keys }, expected)).rejects.toMatchObject({
            code: 'ERR_KEYRING_CONFLICT',
            message: 'Another process changed the keyring at the same time; run the same command again.',
          });
        }
        expect(await store.keyring.load()).toEqual(RING);
      }));

    it('refuses to lose a key or to change its id or time of creation', () =>
      withOneStore(withStore, async (store) => {
        await store.keyring.save(RING, null);
        const [first, ...others] = RING.keys;
        if (!first) throw new Error('the ring has keys');
        const broken = [
          others,
          [{ ...first, id: 99 }, ...others],
          [{ ...first, createdAt: '2030-01-01T00:00:00Z' }, ...others],
        ];
        for (const keys of broken) {
          await expect(store.keyring.save({ ...RING, generation: 2, keys }, 1)).rejects.toMatchObject({
            code: 'ERR_KEYRING_INVALID',
            message: expect.stringMatching(/^The keyring is not well formed: /),
          });
        }
        expect(await store.keyring.load()).toEqual(RING);
      }));

    it('is saved together with what else its transaction writes, or not at all', () =>
      withOneStore(withStore, async (store) => {
        const failing = store.transaction(async (tx) => {
          await tx.keyring.save(RING, null);
          await tx.runs.create(NEW_RUN);
          await tx.audit.insert({ action: 'key_added', resourceType: 'key', status: 'success' });
          expect(await tx.keyring.load()).toEqual(RING);
          throw new RangeError('stop');
        });
        await expect(failing).rejects.toThrow(new RangeError('stop'));
        expect(await store.keyring.load()).toBeNull();
        expect(await store.runs.list(10)).toEqual([]);
        expect(await store.audit.list({ limit: 10 })).toEqual([]);

        const run = await store.transaction(async (tx) => {
          await tx.keyring.save(RING, null);
          return tx.runs.create(NEW_RUN);
        });
        expect(await store.keyring.load()).toEqual(RING);
        expect(await store.runs.get(run.id)).toEqual(run);
      }));

    it('that is not well-formed JSON is refused without being quoted', () =>
      withOneStore(withStore, async (store, { execute }) => {
        await store.keyring.save(RING, null);
        for (const macs of ['{"not', '[1]', 'null', '"text"']) {
          await execute(`update {t}keyring_state set macs = '${macs}'`);
          await expect(store.keyring.load()).rejects.toMatchObject({
            code: 'ERR_KEYRING_TAMPERED',
            message: 'The stored keyring is not well formed; restore its tables from a backup.',
          });
        }
      }));

    it('has readers, which are forgotten when they were not seen for long enough', () =>
      withOneStore(withStore, async (store, { execute }) => {
        const [now] = await execute(`select ${UNIX_SECONDS[store.dialect]} as now`);
        const seen = (secondsAgo: number) => Number(now?.['now']) - secondsAgo;
        await execute(`insert into {t}keyring_readers values ('fresh', 4, ${seen(0)}), ('stale', 3, ${seen(100)})`);
        const readers = await store.keyring.readers();
        expect(readers.map(({ process, generation }) => [process, generation])).toEqual([
          ['fresh', 4],
          ['stale', 3],
        ]);
        expect(readers[0]?.secondsAgo).toBeLessThan(30);
        expect(readers[1]?.secondsAgo).toBeGreaterThanOrEqual(100);
        await store.keyring.forgetReaders(60);
        expect((await store.keyring.readers()).map(({ process }) => process)).toEqual(['fresh']);
      }));
  });
}

const UNIX_SECONDS = { sqlite: 'unixepoch()', postgres: 'floor(extract(epoch from clock_timestamp()))::bigint' };

function expectOneConflict(results: PromiseSettledResult<void>[]): void {
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  const rejected = results.find((result) => result.status === 'rejected');
  expect(rejected?.reason).toMatchObject({
    code: 'ERR_KEYRING_CONFLICT',
    message: 'Another process changed the keyring at the same time; run the same command again.',
  });
}
