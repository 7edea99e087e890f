import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ApiKeyUse } from '../../src/store/store.js';
import { ApiKeyUses } from '../../src/usecases/api-key-uses.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('a use that could not be written is written later, though there is no other, and nothing is asked once all are', async () => {
  const tries: (readonly ApiKeyUse[])[] = [];
  const clock = { monotonicMs: () => Date.now(), wallMs: () => Date.now() };
  const uses = new ApiKeyUses(async (given) => {
    tries.push(given);
    if (tries.length === 1) throw new Error('the database is gone');
    // Somebody else has key 2 locked.
    return given.map(({ id }) => id).filter((id) => id !== 2 || tries.length > 2);
  }, clock);
  uses.note(1);
  uses.note(2);
  await vi.advanceTimersByTimeAsync(2000);
  expect(tries).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(4000);
  expect(tries.slice(1)).toEqual([
    [
      { id: 1, agoMs: 4000 },
      { id: 2, agoMs: 4000 },
    ],
    [{ id: 2, agoMs: 6000 }],
  ]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(tries).toHaveLength(3);
  await uses.stop();
  expect(vi.getTimerCount()).toBe(0);
});
