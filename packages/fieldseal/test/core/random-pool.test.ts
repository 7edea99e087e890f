/** The pool of random bytes: each is handed out once, erased, and thrown away when it has lain too long. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fillRandom } from '../../src/core/random-pool.js';

afterEach(() => {
  vi.restoreAllMocks();
  vi.resetModules();
});

/** A pool of its own, and the memory behind it, seen by watching what the module allocates. */
async function openPool(): Promise<{ pool: Buffer; draw: (length: number, nowMs: number) => Buffer }> {
  vi.resetModules();
  const allocations = vi.spyOn(Buffer, 'allocUnsafeSlow');
  const module = await import('../../src/core/random-pool.js');
  const pool = allocations.mock.results.map(({ value }) => value as Buffer).find(({ length }) => length === 4096);
  if (!pool) throw new Error('the pool was not seen');
  return {
    pool,
    draw(length, nowMs) {
      const target = Buffer.alloc(length);
      module.fillRandom(target, 0, length, nowMs);
      return target;
    },
  };
}

describe('fillRandom', () => {
  it('never gives the same value twice', () => {
    const values = new Set<string>();
    const target = Buffer.alloc(16);
    for (let i = 0; i < 50_000; i++) {
      fillRandom(target, 0, 16, Date.now());
      values.add(target.toString('latin1'));
    }
    expect(values.size).toBe(50_000);
  });

  it('writes only the bytes that were asked for', () => {
    const target = Buffer.alloc(40);
    fillRandom(target, 10, 16, Date.now());
    expect(target.subarray(0, 10).every((byte) => byte === 0)).toBe(true);
    expect(target.subarray(10, 26).every((byte) => byte === 0)).toBe(false);
    expect(target.subarray(26).every((byte) => byte === 0)).toBe(true);
  });

  it('uses all values of a byte about equally often', () => {
    const counts = new Array<number>(256).fill(0);
    const target = Buffer.alloc(64);
    for (let i = 0; i < 4000; i++) {
      fillRandom(target, 0, 64, Date.now());
      for (const byte of target) counts[byte] = (counts[byte] as number) + 1;
    }
    // 1000 expected, standard deviation 32: ten of them do not happen.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(320);
  });

  it('hands out what lies in the pool, and erases it there', async () => {
    const { pool, draw } = await openPool();
    draw(16, 0);
    for (let position = 16; position < 4096; position += 16) {
      const next = Buffer.from(pool.subarray(position, position + 16));
      expect(draw(16, 0).equals(next)).toBe(true);
      expect(pool.subarray(0, position + 16).every((byte) => byte === 0)).toBe(true);
    }
  });

  it('fills the pool again when it does not hold enough', async () => {
    const { pool, draw } = await openPool();
    for (let i = 0; i < 63; i++) draw(64, 0);
    draw(48, 0);
    const rest = Buffer.from(pool.subarray(-16));
    expect(draw(64, 0).includes(rest)).toBe(false);
    expect(pool.subarray(64).every((byte) => byte === 0)).toBe(false);
  });

  it('throws the pool away once it is older than a second, and not before', async () => {
    const { pool, draw } = await openPool();
    draw(16, 5000);
    const kept = Buffer.from(pool.subarray(32));
    draw(16, 6000);
    expect(pool.subarray(32).equals(kept)).toBe(true);
    draw(16, 6001);
    expect(pool.includes(kept.subarray(-64))).toBe(false);
  });

  it('throws the pool away when the clock was set back', async () => {
    const { pool, draw } = await openPool();
    draw(16, 5000);
    const kept = Buffer.from(pool.subarray(32));
    draw(16, 4999);
    expect(pool.includes(kept.subarray(-64))).toBe(false);
  });
});
