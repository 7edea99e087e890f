/** What the repository of subjects' keys of every store promises. */
import { describe, expect, it } from 'vitest';
import type { SubjectKeyRepository, SubjectRow } from '../../src/store/store.js';
import { RFC_3339_UTC, type WithStore, withOneStore, withTwoStores } from './store-under-test.js';

const NAMES = [
  { tenant: '', subject: '1' },
  { tenant: '', subject: '10' },
  { tenant: '', subject: '2' },
  { tenant: 'B', subject: '1' },
  { tenant: 'a', subject: 'A' },
  { tenant: 'a', subject: 'a' },
  { tenant: 'a', subject: 'Ä' },
];
const WRAPPED = NAMES.map((name, i) => ({ ...name, wrapped: `w${i}` }));

async function all(subjects: SubjectKeyRepository): Promise<SubjectRow[]> {
  return subjects.page({ after: null, limit: 100 });
}

/** Lets what was begun go as far as it can; without its waiting it would be through. */
async function giveTime(subjects: SubjectKeyRepository): Promise<void> {
  for (let i = 0; i < 50; i++) await subjects.state();
}

export function subjectKeyContract(name: string, withStore: WithStore): void {
  describe(`${name}: the keys of subjects`, () => {
    it('are none at first', () =>
      withOneStore(withStore, async ({ subjects }) => {
        expect(await subjects.state()).toBeNull();
        expect(await subjects.load(NAMES)).toBeNull();
        expect(await all(subjects)).toEqual([]);
        expect(await subjects.count()).toBe(0);
        expect(await subjects.replaceRoot('one', 'two')).toBeNull();
        expect(await subjects.state()).toBeNull();
      }));

    it('come back in the order of their bytes, page by page', () =>
      withOneStore(withStore, async ({ subjects }) => {
        await subjects.insert(WRAPPED.toReversed(), 'one');
        expect(await subjects.state()).toEqual({ generation: 1, rootFingerprint: 'one' });
        const rows = await all(subjects);
        expect(rows).toEqual(
          WRAPPED.map((row) => ({ ...row, createdAt: expect.stringMatching(RFC_3339_UTC), erasedAt: null })),
        );
        const pages: SubjectRow[][] = [];
        for (let after: SubjectRow | null = null; ; ) {
          const page: SubjectRow[] = await subjects.page({ after, limit: 3 });
          if (page.length === 0) break;
          pages.push(page);
          after = page.at(-1) ?? null;
        }
        expect(pages.map((page) => page.length)).toEqual([3, 3, 1]);
        expect(pages.flat()).toEqual(rows);
      }));

    it('keep the row of an erased subject, without its secret', () =>
      withOneStore(withStore, async ({ subjects }) => {
        await subjects.insert(WRAPPED, 'one');
        const victim = { tenant: 'a', subject: 'a' };
        expect(await subjects.erase(victim)).toBe(true);
        expect(await subjects.erase(victim)).toBe(false);
        expect(await subjects.erase({ tenant: '', subject: 'a' })).toBe(false);
        const rows = await all(subjects);
        expect(rows.filter(({ wrapped }) => wrapped === null)).toEqual([
          {
            ...victim,
            wrapped: null,
            createdAt: expect.stringMatching(RFC_3339_UTC),
            erasedAt: expect.stringMatching(RFC_3339_UTC),
          },
        ]);
        expect([rows.length, await subjects.count()]).toEqual([NAMES.length, NAMES.length - 1]);
        await subjects.insert([{ ...victim, wrapped: 'again' }], 'one');
        await subjects.rewrap([{ ...victim, wrapped: 'again' }]);
        await subjects.put([{ ...victim, wrapped: 'again', createdAt: '2026-01-02T03:04:05.678Z', erasedAt: null }]);
        expect(await all(subjects)).toEqual(rows);
      }));

    it('are wrapped again row by row, and only those', () =>
      withOneStore(withStore, async ({ subjects }) => {
        await subjects.insert(WRAPPED, 'one');
        await subjects.rewrap([]);
        await subjects.rewrap([
          { tenant: '', subject: '10', wrapped: 'new 10' },
          { tenant: 'a', subject: 'A', wrapped: 'new A' },
          { tenant: 'x', subject: 'absent', wrapped: 'new' },
        ]);
        expect((await all(subjects)).map(({ wrapped }) => wrapped)).toEqual([
          'w0',
          'new 10',
          'w2',
          'w3',
          'new A',
          'w5',
          'w6',
        ]);
      }));

    it('are put in the place of those that are there, and beside them', () =>
      withOneStore(withStore, async ({ subjects }) => {
        await subjects.insert(WRAPPED.slice(0, 2), 'one');
        const createdAt = '2026-01-02T03:04:05.678Z';
        await subjects.put([]);
        await subjects.put([
          { tenant: '', subject: '1', wrapped: 'other', createdAt, erasedAt: null },
          { tenant: '', subject: '10', wrapped: null, createdAt, erasedAt: createdAt },
          { tenant: '', subject: '3', wrapped: 'three', createdAt, erasedAt: null },
          { tenant: '', subject: '4', wrapped: null, createdAt, erasedAt: createdAt },
        ]);
        const rows = await all(subjects);
        expect(rows.map(({ subject, wrapped, erasedAt }) => [subject, wrapped, erasedAt])).toEqual([
          ['1', 'other', null],
          ['10', null, createdAt],
          ['3', 'three', null],
          ['4', null, createdAt],
        ]);
        expect(rows.filter((row) => row.createdAt === createdAt).map(({ subject }) => subject)).toEqual(['3', '4']);
      }));

    it('get another root only in the place of the one that is expected, and the generation grows', () =>
      withOneStore(withStore, async ({ subjects }) => {
        await subjects.insert([], 'one');
        expect(await subjects.replaceRoot('two', 'three')).toBeNull();
        expect(await subjects.replaceRoot('one', 'two')).toBe(2);
        expect(await subjects.replaceRoot('two', 'two', 41)).toBe(42);
        expect(await subjects.replaceRoot('two', 'three', 7)).toBe(43);
        expect(await subjects.state()).toEqual({ generation: 43, rootFingerprint: 'three' });
      }));

    it('are made under the root of an erasure under way or not at all', () =>
      withTwoStores(withStore, async (first, second) => {
        await first.subjects.insert(WRAPPED.slice(0, 1), 'one');
        let inserted: Promise<void> | null = null;
        await first.exclusiveTransaction(async (tx) => {
          expect(await tx.subjects.replaceRoot('one', 'two')).toBe(2);
          inserted = second.subjects.insert(WRAPPED.slice(1, 2), 'one');
          // It waits: were it to write now, its secret would be missed and stay under the old root.
          await giveTime(tx.subjects);
          expect(await all(tx.subjects)).toHaveLength(1);
        });
        await inserted;
        expect(await all(first.subjects)).toHaveLength(1);
        await second.subjects.insert(WRAPPED.slice(1, 2), 'two');
        expect(await all(first.subjects)).toHaveLength(2);
      }));

    it('and a maker under way keeps an erasure waiting, which then sees what it made', () =>
      withTwoStores(withStore, async (first, second) => {
        await first.subjects.insert(WRAPPED.slice(0, 1), 'one');
        let seen: Promise<number> | null = null;
        await first.transaction(async (tx) => {
          await tx.subjects.insert(WRAPPED.slice(1, 2), 'one');
          seen = second.exclusiveTransaction(async (erasing) => {
            await erasing.subjects.replaceRoot('one', 'two');
            return (await all(erasing.subjects)).length;
          });
          await giveTime(tx.subjects);
        });
        expect(await seen).toBe(2);
      }));
  });
}
