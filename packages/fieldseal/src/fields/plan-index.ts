/** How many bits of its hash a blind index may keep: few enough to tell little, enough to find quickly. */
import { FieldsealError } from '../errors.js';

/** What is known of a column. Where one is an estimate, choose the smaller `rows` and `distinct`, the larger `commonest`. */
export interface ColumnFacts {
  /** How many rows the table will have. With tenants, whose index values differ: how many a small tenant will have. */
  readonly rows: number;
  /** How many different values the column holds, at least. Left out: as many as it has rows. */
  readonly distinct?: number;
  /** The share of rows, above 0 and at most 1, that hold the most frequent value. Left out: no value is frequent. */
  readonly commonest?: number;
}

/** What `planIndex` takes. */
export interface IndexFacts extends ColumnFacts {
  /** The bits of the column's other indexes together: whoever reads one index reads them all. */
  readonly taken?: number;
}

/** The sizes that are safe for an index, and the one to take. */
export interface IndexPlan {
  readonly minBits: number;
  readonly maxBits: number;
  /** The recommended size. */
  readonly bits: number;
}

function assertFacts({ rows, distinct, commonest, taken = 0 }: IndexFacts): void {
  if (!Number.isSafeInteger(rows) || rows < 1) throw new RangeError('rows is a whole number above 0');
  if (distinct !== undefined && !(Number.isInteger(distinct) && distinct >= 1)) {
    throw new RangeError('distinct is a whole number of values above 0');
  }
  if (commonest !== undefined && !(commonest > 0 && commonest <= 1)) {
    throw new RangeError('commonest is a share above 0 and at most 1');
  }
  if (!Number.isSafeInteger(taken) || taken < 0) throw new RangeError('taken is a whole number of bits');
}

/** The bounds on the number of index values, each with the mend for a column that it is too tight for. */
function boundsOf({ rows, distinct, commonest }: ColumnFacts): { values: number; mend: string }[] {
  return [
    { values: rows / 2, mend: 'a table that small is better decrypted and searched' },
    ...(distinct === undefined
      ? []
      : [{ values: distinct / 2, mend: 'search by another column, and filter what is found after decrypting it' }]),
    ...(commonest === undefined
      ? []
      : [
          {
            values: 1 / commonest,
            mend: 'store the most frequent value as NULL, or search by another column',
          },
        ]),
  ];
}

/** The most whole bits that make at most so many index values; -1 when not even one value is allowed. */
function bitsFor(values: number): number {
  let bits = -1;
  while (2 ** (bits + 1) <= values) bits++;
  return bits;
}

/**
 * How many bits all indexes of a column may keep together.
 *
 * An index of b bits sorts the rows into 2^b groups, and anyone who reads the database sees the groups. This is the
 * largest b for which
 * - `rows`: two rows are expected in each group, so that standing in one group proves no two rows equal;
 * - `distinct`: two different values are expected in each group, so that a group is no value's name;
 * - `commonest`: the most frequent value fills no more than a group of average size, so that its group does not stand
 *   out, and cannot be recognised by anyone who knows which value is frequent.
 *
 * It is 0 or -1 for a column that allows no index at all.
 * @throws RangeError for facts that no column has
 */
export function columnBudgetBits(facts: ColumnFacts): number {
  assertFacts(facts);
  return bitsFor(Math.min(...boundsOf(facts).map(({ values }) => values)));
}

/** The fewest bits with which a search finds at most √rows rows: 4^bits ≥ rows. */
function usefulBits(rows: number): number {
  let bits = 0;
  while (4 ** bits < rows) bits++;
  return bits;
}

function describe({ rows, distinct, commonest, taken = 0 }: IndexFacts): string {
  const facts = [
    `${rows} rows`,
    ...(distinct === undefined ? [] : [`${distinct} different values`]),
    ...(commonest === undefined ? [] : [`a value in ${commonest} of them`]),
    ...(taken === 0 ? [] : [`${taken} bits taken by other indexes`]),
  ];
  return facts.join(', ');
}

function mendOf(facts: IndexFacts, minBits: number): string {
  if (columnBudgetBits(facts) >= minBits) return 'make the column’s other indexes shorter, or leave one out';
  const [tightest] = boundsOf(facts).sort((a, b) => a.values - b.values);
  return (tightest as { mend: string }).mend;
}

/**
 * Plans the size of a blind index by CipherSweet's rule (ciphersweet.paragonie.com): of the rows, between 2 and √rows
 * are expected to share an index value by coincidence.
 *
 * At most `maxBits` keeps the index from telling too much: see {@link columnBudgetBits}, less what the column's other
 * indexes take. At least `minBits` keeps it useful: a search finds, and then decrypts and filters, at most √rows rows
 * that it was not looking for.
 *
 * Recommended is one bit less than the most where that is still useful. The facts are estimates, and one bit to spare
 * keeps the index safe with half as many rows or different values, or a value twice as frequent, as was thought.
 * @throws FieldsealError `ERR_INDEX_UNSAFE` when no size is both; RangeError for facts that no column has
 *
 * @example
 * planIndex({ rows: 1_000_000, distinct: 900_000, commonest: 1e-5 }); // { minBits: 10, maxBits: 16, bits: 15 }
 */
export function planIndex(facts: IndexFacts): IndexPlan {
  const maxBits = columnBudgetBits(facts) - (facts.taken ?? 0);
  const minBits = usefulBits(facts.rows);
  if (minBits > maxBits || maxBits < 1) {
    throw new FieldsealError(
      'ERR_INDEX_UNSAFE',
      `No size of the index is safe: ${describe(facts)} allow ${Math.max(0, maxBits)} bits, and fewer than ` +
        `${Math.max(1, minBits)} find too little; ${mendOf(facts, minBits)}.`,
    );
  }
  return { minBits, maxBits, bits: Math.max(minBits, maxBits - 1) };
}

/**
 * Checks the size of a declared index.
 * @throws FieldsealError `ERR_INDEX_UNSAFE` when `bits` is outside what {@link planIndex} allows, or when it allows
 * nothing; RangeError for facts that no column has
 */
export function assertIndexBits(bits: number, facts: IndexFacts): void {
  const plan = planIndex(facts);
  if (Number.isInteger(bits) && bits >= plan.minBits && bits <= plan.maxBits) return;
  const fault =
    bits > plan.maxBits ? 'would tell too much' : bits < plan.minBits ? 'would find too little' : 'does not exist';
  throw new FieldsealError(
    'ERR_INDEX_UNSAFE',
    `An index of ${bits} bits ${fault}: ${describe(facts)} allow ${plan.minBits} to ${plan.maxBits}; take ${plan.bits}.`,
  );
}
