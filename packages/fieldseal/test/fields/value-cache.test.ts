/** Decrypted values that are kept for a while: never too many, too long, or for another place. */
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ValueCache } from '../../src/fields/value-cache.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** A cache with a clock to turn, and the memory of what it holds, seen by watching what it allocates. */
function openCache(entries: number, maxAgeSeconds: number) {
  const clock = { nowMs: 0 };
  const cache = new ValueCache({ entries, maxAgeSeconds }, () => clock.nowMs);
  const allocations = vi.spyOn(Buffer, 'allocUnsafeSlow');
  const set = (generation: string | number, contextKey: string, stored: string, bytes: Uint8Array): Buffer => {
    allocations.mockClear();
    cache.set(generation, contextKey, stored, bytes);
    expect(allocations.mock.results.length).toBe(1);
    return allocations.mock.results[0]?.value as Buffer;
  };
  return { cache, clock, set };
}

const isErased = (bytes: Buffer) => bytes.every((byte) => byte === 0);
const SECRET = Buffer.from('secret');

describe('a value', () => {
  it('comes back as bytes of the caller’s own', () => {
    const { cache, set } = openCache(10, 60);
    const given = Buffer.from('secret');
    const kept = set(1, 'context', 'token', given);
    given.fill(0x78);
    const first = cache.get(1, 'context', 'token');
    expect(first).toEqual(SECRET);
    expect(kept.buffer.byteLength).toBe(SECRET.length);
    expect(first?.buffer.byteLength).toBe(SECRET.length);
    first?.fill(0);
    expect(cache.get(1, 'context', 'token')).toEqual(SECRET);
  });

  it('may be empty', () => {
    const { cache } = openCache(10, 60);
    cache.set(1, 'context', 'token', Buffer.alloc(0));
    expect(cache.get(1, 'context', 'token')).toEqual(Buffer.alloc(0));
    expect(cache.get(1, 'context', 'other')).toBe(null);
  });

  it('is found in no other context and under no other token, however the two are cut', () => {
    const part = fc.string({ unit: fc.constantFrom('1', ':', 'a', '2'), maxLength: 14 });
    fc.assert(
      fc.property(part, part, part, part, (context, stored, otherContext, otherStored) => {
        const cache = new ValueCache({ entries: 10, maxAgeSeconds: 60 });
        cache.set(1, context, stored, SECRET);
        const isSame = context === otherContext && stored === otherStored;
        expect(cache.get(1, otherContext, otherStored)).toEqual(isSame ? SECRET : null);
      }),
      { numRuns: 2000 },
    );
  });

  it('that is set again takes the place and the age of a new one; the old one is erased', () => {
    const { cache, clock, set } = openCache(10, 60);
    const old = set(1, 'context', 'token', SECRET);
    clock.nowMs = 50_000;
    set(1, 'context', 'token', Buffer.from('newer'));
    expect([isErased(old), cache.size]).toEqual([true, 1]);
    clock.nowMs = 109_999;
    expect(cache.get(1, 'context', 'token')).toEqual(Buffer.from('newer'));
    clock.nowMs = 110_000;
    expect(cache.get(1, 'context', 'token')).toBe(null);
  });
});

describe('what leaves is erased', () => {
  it('by age, counted from its decryption however often it was used, at the next use of any value', () => {
    const { cache, clock, set } = openCache(10, 60);
    const [first, second] = [set(1, 'a', 't', SECRET), set(1, 'b', 't', SECRET)];
    clock.nowMs = 30_000;
    const third = set(1, 'c', 't', SECRET);
    clock.nowMs = 59_999;
    expect(cache.get(1, 'a', 't')).toEqual(SECRET);
    clock.nowMs = 60_000;
    expect(cache.get(1, 'unknown', 't')).toBe(null);
    expect([isErased(first), isErased(second), isErased(third), cache.size]).toEqual([true, true, false, 1]);
    clock.nowMs = 90_000;
    set(1, 'd', 't', SECRET);
    expect([isErased(third), cache.size]).toEqual([true, 1]);
  });

  it('by number, the one that was used longest ago first', () => {
    const { cache, set } = openCache(2, 60);
    const [a, b] = [set(1, 'a', 't', SECRET), set(1, 'b', 't', SECRET)];
    cache.get(1, 'a', 't');
    const c = set(1, 'c', 't', SECRET);
    expect([isErased(a), isErased(b), isErased(c), cache.size]).toEqual([false, true, false, 2]);
    set(1, 'd', 't', SECRET);
    expect([isErased(a), isErased(c)]).toEqual([true, false]);
  });

  it('by another generation, whether it reads or writes', () => {
    const { cache, set } = openCache(10, 60);
    const first = set('ring 1', 'a', 't', SECRET);
    expect(cache.get('ring 2', 'a', 't')).toBe(null);
    expect([isErased(first), cache.size]).toEqual([true, 0]);
    const second = set('ring 2', 'a', 't', SECRET);
    set(2, 'b', 't', SECRET);
    expect([isErased(second), cache.size]).toEqual([true, 1]);
    expect(cache.get('2', 'b', 't')).toBe(null);
  });

  it('by clear()', () => {
    const { cache, set } = openCache(10, 60);
    const kept = ['a', 'b', 'c'].map((context) => set(1, context, 't', SECRET));
    cache.clear();
    expect([kept.every(isErased), cache.size, cache.get(1, 'a', 't')]).toEqual([true, 0, null]);
  });
});

it('a cache does what a list does that is searched from end to end, and erases what it no longer holds', () => {
  const place = { context: fc.constantFrom('a', 'b', 'c'), stored: fc.constantFrom('s', 't') };
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('get' as const), ...place }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('set' as const), ...place }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 2500 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('renew' as const), generation: fc.nat({ max: 2 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 60 }), (entries, steps) => {
      const { cache, clock, set } = openCache(entries, 5);
      const seen: Buffer[] = [];
      let held: { key: string; value: string; kept: Buffer; atMs: number; generation: number; usedAt: number }[] = [];
      let generation = 0;
      for (const [i, one] of steps.entries()) {
        if (one.do === 'wait') clock.nowMs += one.ms;
        if (one.do === 'renew') generation = one.generation;
        if (one.do === 'clear') {
          cache.clear();
          held = [];
        }
        if (one.do !== 'get' && one.do !== 'set') continue;
        const key = `${one.context} ${one.stored}`;
        held = held.filter((entry) => entry.generation === generation && clock.nowMs - entry.atMs < 5000);
        if (one.do === 'get') {
          const entry = held.find((candidate) => candidate.key === key);
          expect(cache.get(generation, one.context, one.stored)?.toString()).toBe(entry?.value);
          if (entry) entry.usedAt = i;
        } else {
          const value = `value ${i}`;
          const kept = set(generation, one.context, one.stored, Buffer.from(value));
          seen.push(kept);
          held = held.filter((entry) => entry.key !== key);
          const longestAgo = Math.min(...held.map(({ usedAt }) => usedAt));
          if (held.length === entries) held = held.filter(({ usedAt }) => usedAt !== longestAgo);
          held.push({ key, value, kept, atMs: clock.nowMs, generation, usedAt: i });
        }
        expect(cache.size).toBe(held.length);
        for (const bytes of seen) expect(isErased(bytes)).toBe(!held.some(({ kept }) => kept === bytes));
      }
    }),
    { numRuns: 1000 },
  );
});

it('a cache by its own clock holds a value for a while', () => {
  const cache = new ValueCache({ entries: 1, maxAgeSeconds: 3600 });
  cache.set(1, 'a', 't', SECRET);
  expect(cache.get(1, 'a', 't')).toEqual(SECRET);
});

describe('bounds', () => {
  it.each([0, -1, 1.5, 1_000_001, Number.NaN, Infinity, '5', undefined])('cannot be %s entries', (entries) => {
    expect(() => new ValueCache({ entries: entries as number, maxAgeSeconds: 1 })).toThrow(
      new RangeError('the entries of a cache are a whole number from 1 to 1000000'),
    );
  });

  it.each([0, -1, Number.NaN, Infinity, '5', undefined])('cannot be %s seconds', (maxAgeSeconds) => {
    expect(() => new ValueCache({ entries: 1, maxAgeSeconds: maxAgeSeconds as number })).toThrow(
      new RangeError('the maxAgeSeconds of a cache is a number above 0'),
    );
  });

  it('may be one entry or a million, and a part of a second', () => {
    for (const entries of [1, 1_000_000]) {
      expect(new ValueCache({ entries, maxAgeSeconds: 0.001 }).size).toBe(0);
    }
  });
});
