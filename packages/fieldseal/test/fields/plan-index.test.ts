/** The size of a blind index: what CipherSweet's rule allows, and nothing else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertIndexBits, columnBudgetBits, type IndexFacts, planIndex } from '../../src/fields/plan-index.js';
import { refusalOf } from '../refusal.js';

const rows = fc.oneof(
  fc.integer({ min: 1, max: 5000 }),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  fc.integer({ min: 0, max: 52 }).map((bits) => 2 ** bits),
);
const facts: fc.Arbitrary<IndexFacts> = fc.record(
  {
    rows,
    distinct: fc.oneof(rows, fc.constantFrom(2 ** 64, 1e300)),
    commonest: fc.oneof(
      fc.double({ min: 1e-12, max: 1, noNaN: true }),
      fc.integer({ min: 0, max: 40 }).map((bits) => 2 ** -bits),
    ),
    taken: fc.integer({ min: 0, max: 20 }),
  },
  { requiredKeys: ['rows'] },
);

/** Whether `work` accepts. A refusal has to be the one of unsafe indexes. */
function accepts(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch {
    expect(refusalOf(work).code).toBe('ERR_INDEX_UNSAFE');
    return false;
  }
}

/** CipherSweet's rule and our two bounds, as their definitions read. */
function isSafe(bits: number, { rows, distinct, commonest, taken = 0 }: IndexFacts): boolean {
  const groups = 2 ** (bits + taken);
  return (
    bits >= 1 &&
    // rows / 2^bits ≤ √rows, without a root that would be rounded.
    rows <= 4 ** bits &&
    rows / groups >= 2 &&
    (distinct === undefined || distinct / groups >= 2) &&
    (commonest === undefined || commonest * groups <= 1)
  );
}

describe('every accepted size', () => {
  it('has between 2 and √rows coincidences', () => {
    let accepted = 0;
    fc.assert(
      fc.property(facts, fc.integer({ min: -1, max: 60 }), (known, bits) => {
        if (!accepts(() => assertIndexBits(bits, known))) return;
        accepted++;
        const coincidences = known.rows / 2 ** bits;
        expect(coincidences).toBeGreaterThanOrEqual(2);
        expect(coincidences).toBeLessThanOrEqual(Math.sqrt(known.rows) * (1 + Number.EPSILON));
      }),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('is safe by the definitions, and every safe size is accepted', () => {
    fc.assert(
      fc.property(facts, (known) => {
        for (let bits = -1; bits <= 54; bits++) {
          expect(
            accepts(() => assertIndexBits(bits, known)),
            `${bits} bits`,
          ).toBe(isSafe(bits, known));
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('a plan', () => {
  it('spans exactly the accepted sizes, and recommends one of them', () => {
    fc.assert(
      fc.property(facts, (known) => {
        const sizes = Array.from({ length: 54 }, (_, i) => i).filter((bits) => isSafe(bits, known));
        if (sizes.length === 0) {
          expect(refusalOf(() => planIndex(known)).code).toBe('ERR_INDEX_UNSAFE');
          return;
        }
        const plan = planIndex(known);
        expect([plan.minBits, plan.maxBits]).toEqual([sizes[0], sizes.at(-1)]);
        expect(sizes).toContain(plan.bits);
      }),
      { numRuns: 1000 },
    );
  });

  it('leaves a bit to spare, so that half the rows are still safe, where that finds enough', () => {
    expect(planIndex({ rows: 1_000_000 })).toEqual({ minBits: 10, maxBits: 18, bits: 17 });
    expect(planIndex({ rows: 1_000_000, distinct: 900_000 })).toEqual({ minBits: 10, maxBits: 18, bits: 17 });
    expect(planIndex({ rows: 1_000_000, distinct: 900_000, commonest: 1e-5 })).toEqual({
      minBits: 10,
      maxBits: 16,
      bits: 15,
    });
    expect(planIndex({ rows: 1_000_000, distinct: 2048 })).toEqual({ minBits: 10, maxBits: 10, bits: 10 });
    expect(planIndex({ rows: 4 })).toEqual({ minBits: 1, maxBits: 1, bits: 1 });
  });

  it('takes the bits of other indexes out of one budget', () => {
    const known = { rows: 1_000_000, distinct: 900_000 };
    expect(columnBudgetBits(known)).toBe(18);
    expect(planIndex({ ...known, taken: 8 })).toEqual({ minBits: 10, maxBits: 10, bits: 10 });
    expect(refusalOf(() => planIndex({ ...known, taken: 9 }))).toEqual({
      code: 'ERR_INDEX_UNSAFE',
      message:
        'No size of the index is safe: 1000000 rows, 900000 different values, 9 bits taken by other indexes allow 9 ' +
        'bits, and fewer than 10 find too little; make the column’s other indexes shorter, or leave one out.',
    });
  });
});

describe('the budget of a column', () => {
  it.each<[bits: number, facts: IndexFacts]>([
    [-1, { rows: 1 }],
    [0, { rows: 3 }],
    [1, { rows: 4 }],
    [9, { rows: 1024 }],
    [9, { rows: 2047 }],
    [10, { rows: 2048 }],
    [0, { rows: 1e6, distinct: 2 }],
    [-1, { rows: 1e6, distinct: 1 }],
    [7, { rows: 1e6, distinct: 300 }],
    [4, { rows: 1e6, commonest: 1 / 16 }],
    [3, { rows: 1e6, commonest: 0.0626 }],
    [0, { rows: 1e6, commonest: 1 }],
    [18, { rows: 1e6, distinct: 2 ** 64, commonest: 1e-300 }],
    [51, { rows: Number.MAX_SAFE_INTEGER }],
  ])('is %i bits for %j', (bits, known) => {
    expect(columnBudgetBits(known)).toBe(bits);
  });
});

describe('a refusal names the numbers and the mend', () => {
  it.each<[message: string, facts: IndexFacts]>([
    [
      'No size of the index is safe: 3 rows allow 0 bits, and fewer than 1 find too little; a table that small is better decrypted and searched.',
      { rows: 3 },
    ],
    [
      'No size of the index is safe: 1 rows allow 0 bits, and fewer than 1 find too little; a table that small is better decrypted and searched.',
      { rows: 1 },
    ],
    [
      'No size of the index is safe: 1000000 rows, 300 different values allow 7 bits, and fewer than 10 find too little; search by another column, and filter what is found after decrypting it.',
      { rows: 1_000_000, distinct: 300 },
    ],
    [
      'No size of the index is safe: 1000000 rows, 900000 different values, a value in 0.2 of them allow 2 bits, and fewer than 10 find too little; store the most frequent value as NULL, or search by another column.',
      { rows: 1_000_000, distinct: 900_000, commonest: 0.2 },
    ],
  ])('%s', (message, known) => {
    expect(refusalOf(() => planIndex(known))).toEqual({ code: 'ERR_INDEX_UNSAFE', message });
    expect(refusalOf(() => assertIndexBits(12, known))).toEqual({ code: 'ERR_INDEX_UNSAFE', message });
  });

  it.each([
    [19, 'would tell too much'],
    [256, 'would tell too much'],
    [9, 'would find too little'],
    [-1, 'would find too little'],
    [12.5, 'does not exist'],
    [Number.NaN, 'does not exist'],
  ])('%d bits %s', (bits, fault) => {
    expect(refusalOf(() => assertIndexBits(bits, { rows: 1_000_000 }))).toEqual({
      code: 'ERR_INDEX_UNSAFE',
      message: `An index of ${bits} bits ${fault}: 1000000 rows allow 10 to 18; take 17.`,
    });
  });
});

describe('facts that no column has', () => {
  it.each<[message: string, facts: unknown]>([
    ...[0, -1, 1.5, Number.NaN, Infinity, 2 ** 53, '5', undefined].map((rows): [string, unknown] => [
      'rows is a whole number above 0',
      { rows },
    ]),
    ...[0, -1, 1.5, Number.NaN, Infinity, '5'].map((distinct): [string, unknown] => [
      'distinct is a whole number of values above 0',
      { rows: 100, distinct },
    ]),
    ...[0, -0.1, 1.01, Number.NaN].map((commonest): [string, unknown] => [
      'commonest is a share above 0 and at most 1',
      { rows: 100, commonest },
    ]),
    ...[-1, 0.5, Number.NaN].map((taken): [string, unknown] => [
      'taken is a whole number of bits',
      { rows: 100, taken },
    ]),
  ])('are no plan: %s, not %j', (message, known) => {
    for (const work of [
      () => planIndex(known as IndexFacts),
      () => columnBudgetBits(known as IndexFacts),
      () => assertIndexBits(3, known as IndexFacts),
    ]) {
      expect(work).toThrow(new RangeError(message));
    }
  });
});
