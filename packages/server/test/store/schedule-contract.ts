/** What the schedule repository of every store promises. */
import { describe, expect, it, vi } from 'vitest';
import { NEW_RUN, RFC_3339_UTC, type WithStore, withOneStore, withTwoStores } from './store-under-test.js';

const PAST = '2026-01-01T03:00:00.000Z';
const FUTURE = '2999-01-01T03:00:00.000Z';
const NEW_SCHEDULE = { kind: 'rotate', cron: '0 3 1 * *', timezone: 'Europe/Berlin', nextAt: PAST } as const;

export function scheduleContract(name: string, withStore: WithStore): void {
  describe(`${name}: a schedule`, () => {
    it('begins without a run, and is listed oldest first', () =>
      withOneStore(withStore, async (store) => {
        const first = await store.schedules.create(NEW_SCHEDULE);
        expect(first).toEqual({ id: 1, ...NEW_SCHEDULE, lastAt: null, lastRun: null });
        const second = await store.schedules.create({ ...NEW_SCHEDULE, kind: 'verify', nextAt: FUTURE });
        expect(await store.schedules.list()).toEqual([first, second]);
      }));

    it('is due once its time has come by the clock of the database, whatever the clock of the process says', () =>
      withOneStore(withStore, async (store, { execute }) => {
        const first = await store.schedules.create(NEW_SCHEDULE);
        await store.schedules.create({ ...NEW_SCHEDULE, nextAt: FUTURE });
        vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2999-06-01T00:00:00Z') });
        try {
          expect(await store.schedules.due()).toEqual([first]);
        } finally {
          vi.useRealTimers();
        }
        await execute('update {t}sweep_schedules set next_at = 1 where id = 2');
        expect((await store.schedules.due()).map(({ id }) => id)).toEqual([1, 2]);
      }));

    it('is moved on by exactly one of several that try at once', () =>
      withTwoStores(withStore, async (first, second) => {
        const { id } = await first.schedules.create(NEW_SCHEDULE);
        const moves = await Promise.all(
          Array.from({ length: 12 }, (_, i) => (i % 2 ? first : second).schedules.move(id, PAST, FUTURE)),
        );
        expect(moves.filter((moved) => moved)).toEqual([true]);
        expect(await second.schedules.list()).toMatchObject([{ nextAt: FUTURE, lastAt: null, lastRun: null }]);
        expect(await first.schedules.due()).toEqual([]);
        expect(await first.schedules.move(99, PAST, FUTURE)).toBe(false);
      }));

    it('remembers the run that it last started, and when', () =>
      withOneStore(withStore, async (store) => {
        const { id } = await store.schedules.create(NEW_SCHEDULE);
        await store.schedules.create(NEW_SCHEDULE);
        const run = await store.runs.create(NEW_RUN);
        await store.schedules.started(id, run.id);
        expect(await store.schedules.list()).toMatchObject([
          { nextAt: PAST, lastAt: expect.stringMatching(RFC_3339_UTC), lastRun: run.id },
          { lastAt: null, lastRun: null },
        ]);
      }));

    it('is removed once, and its id is not used again', () =>
      withOneStore(withStore, async (store) => {
        const schedule = await store.schedules.create(NEW_SCHEDULE);
        expect(await store.schedules.remove(schedule.id)).toEqual(schedule);
        expect(await store.schedules.remove(schedule.id)).toBeNull();
        expect(await store.schedules.move(schedule.id, PAST, FUTURE)).toBe(false);
        expect((await store.schedules.create(NEW_SCHEDULE)).id).toBe(2);
      }));
  });
}
