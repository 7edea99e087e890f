import { expect, it } from 'vitest';
import { ApiKeyCache, knownApiKey } from '../../src/usecases/api-key-cache.js';
import { ApiKeyUses } from '../../src/usecases/api-key-uses.js';
import { type Clock, RevisionWatch } from '../../src/usecases/watch-revision.js';
import { KEY } from '../store/api-key-contract.js';

class HandClock implements Clock {
  monotonic = 5000;
  wall = 1_000_000;
  monotonicMs = () => this.monotonic;
  wallMs = () => this.wall;
  pass(ms: number): void {
    this.monotonic += ms;
    this.wall += ms;
  }
}

/** A watch whose reads end when the test says so. */
function watched() {
  const clock = new HandClock();
  const reads: { resolve(state: object): void; reject(error: Error): void }[] = [];
  const watch = new RevisionWatch<object>(
    () => new Promise((resolve, reject) => reads.push({ resolve, reject })),
    clock,
  );
  return { clock, watch, reads };
}

it('what a poll said is fresh until a second after the poll began, however long its answer took', async () => {
  const { clock, watch, reads } = watched();
  expect(watch.fresh).toBeNull();
  const started = watch.start();
  clock.pass(700);
  const state = {};
  reads[0]?.resolve(state);
  await started;
  expect(watch.fresh).toBe(state);
  clock.pass(299);
  expect(watch.fresh).toBe(state);
  clock.pass(1);
  expect(watch.fresh).toBeNull();
  await watch.stop();
});

it('nothing is fresh after a poll that failed, after a sleep of the machine, and once it is stopped', async () => {
  const { clock, watch, reads } = watched();
  const started = watch.start();
  reads[0]?.resolve({});
  await started;
  clock.wall += 1000; // The monotonic clock stood still meanwhile.
  expect(watch.fresh).toBeNull();
  const again = watch.poll();
  const state = {};
  reads[1]?.resolve(state);
  await again;
  expect(watch.fresh).toBe(state);
  clock.pass(900);
  const failing = watch.poll();
  reads[2]?.reject(new Error('the database is gone'));
  await failing;
  expect(watch.fresh).toBe(state);
  clock.pass(100);
  expect(watch.fresh).toBeNull();
  await watch.stop();
  clock.pass(-1000);
  expect(watch.fresh).toBeNull();
});

it('a poll that began before a change of this process counts for nothing', async () => {
  const { watch, reads } = watched();
  const started = watch.start();
  const refreshed = watch.refresh();
  reads[0]?.resolve({});
  await started;
  expect(watch.fresh).toBeNull();
  const state = {};
  await expect.poll(() => reads.length).toBeGreaterThan(1);
  for (const read of reads) read.resolve(state);
  await refreshed;
  expect(watch.fresh).toBe(state);
  // Whoever does not wait for the new answer uses no old one.
  const asked = reads.length;
  const again = watch.refresh();
  expect(watch.fresh).toBeNull();
  await expect.poll(() => reads.length).toBeGreaterThan(asked);
  for (const read of reads) read.resolve(state);
  await again;
  await watch.stop();
});

const known = (id: number) =>
  knownApiKey(
    {
      ...KEY,
      id,
      isActive: true,
      revokedAt: null,
      disabledAt: null,
    },
    0,
  );

it('the cache forgets everything with a new state, and keeps the keys that were used last', () => {
  const cache = new ApiKeyCache(2);
  const [before, after] = [{}, {}];
  cache.set(before, 'a', known(1));
  cache.set(before, 'b', known(2));
  expect(cache.get(before, 'a')?.id).toBe(1);
  cache.set(before, 'c', known(3));
  expect(['a', 'b', 'c'].map((hash) => cache.get(before, hash)?.id)).toEqual([1, undefined, 3]);
  expect(cache.get(after, 'a')).toBeUndefined();
  expect(cache.get(before, 'a')).toBeUndefined();
  const none = new ApiKeyCache(0);
  none.set(before, 'a', known(1));
  expect(none.get(before, 'a')).toBeUndefined();
});

it('uses that could not be written are kept for the next time, for ten minutes, and never in the place of a later one', async () => {
  const clock = new HandClock();
  const written: [number, number][][] = [];
  let answer: number[] | Error = new Error('the database is gone');
  const uses = new ApiKeyUses(async (given) => {
    written.push(given.map(({ id, agoMs }) => [id, agoMs]));
    if (answer instanceof Error) throw answer;
    return answer;
  }, clock);
  uses.note(1);
  clock.pass(10);
  uses.note(2);
  await uses.flush();
  clock.pass(10);
  uses.note(1);
  answer = [1];
  await uses.flush();
  clock.pass(600_000);
  await uses.flush();
  await uses.flush();
  await uses.stop();
  expect(written).toEqual([
    [
      [1, 10],
      [2, 0],
    ],
    [
      [2, 10],
      [1, 0],
    ],
    [[2, 600_010]],
  ]);
});

it('no more than 10,000 keys wait for their time to be written', async () => {
  const sizes: number[] = [];
  const uses = new ApiKeyUses(async (given) => {
    sizes.push(given.length);
    return [];
  });
  for (let id = 0; id < 10_500; id++) uses.note(id);
  await uses.flush();
  for (let id = 20_000; id < 20_500; id++) uses.note(id);
  await uses.flush();
  await uses.stop();
  expect(sizes).toEqual([10_000, 10_000, 10_000]);
});
