/** Slices are what the event loop waits for, so their bounds are tested, and not the time that they take. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SLICE_CHARACTERS, SLICE_VALUES, slicesOf } from '../../src/core/batch-slices.js';

const charactersOf = (values: readonly unknown[]) =>
  values.reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 0), 0);

describe('the slices of a batch', () => {
  const size = fc.oneof(fc.nat(100), fc.nat(2 * SLICE_CHARACTERS), fc.constantFrom(SLICE_CHARACTERS, 0));
  const values = fc
    .array(fc.tuple(fc.option(size), fc.nat(600)), { maxLength: 10 })
    .map((runs) => runs.flatMap(([characters, times]) => Array(times).fill(characters && 'x'.repeat(characters))));

  it('are all of it, in order', () => {
    fc.assert(
      fc.property(values, (batch) => {
        const slices = Array.from(slicesOf(batch));
        expect(slices.map(({ start }) => start)).toEqual([0, ...slices.map(({ end }) => end)].slice(0, slices.length));
        expect(slices.every(({ start, end }) => end > start)).toBe(true);
        expect(slices.at(-1)?.end ?? 0).toBe(batch.length);
      }),
    );
  });

  it('have a thousand values and 256 Ki characters at most, unless one value alone has more', () => {
    fc.assert(
      fc.property(values, (batch) => {
        for (const { start, end, isTooLarge } of slicesOf(batch)) {
          expect(end - start).toBeLessThanOrEqual(isTooLarge ? 1 : SLICE_VALUES);
          expect(charactersOf(batch.slice(start, end)) > SLICE_CHARACTERS).toBe(isTooLarge);
        }
      }),
    );
  });

  it('are as large as they may be', () => {
    const ends = (batch: readonly unknown[]) => Array.from(slicesOf(batch), ({ end }) => end);
    const half = 'x'.repeat(SLICE_CHARACTERS / 2);
    expect(ends([])).toEqual([]);
    expect(ends(Array(2500).fill(null))).toEqual([1000, 2000, 2500]);
    expect(Array.from(slicesOf(Array(2500).fill(null), 2), ({ end }) => end)).toEqual([2000, 2500]);
    expect(Array.from(slicesOf(Array(6).fill(half), 2), ({ end }) => end)).toEqual([4, 6]);
    expect(ends([half, half, half, `${half}${half}x`, half])).toEqual([2, 3, 4, 5]);
  });
});
