/** The declaration of a blind index. */
import type { IndexDeclaration } from './model.js';
import { assertNormalisers, type Normaliser } from './normaliser.js';

/** What `blindIndex` takes. */
export interface BlindIndexOptions {
  /**
   * How many bits of the hash are kept. `planIndex` (or `fieldseal plan-index`) recommends a number; the model refuses
   * one that is unsafe for the table's `rows` and the columns' `distinct` and `commonest`.
   */
  readonly bits: number;
  /** What makes texts count as equal, in order; for an index over several columns, by the column's name. */
  readonly normalise?: readonly Normaliser[] | Readonly<Record<string, readonly Normaliser[]>>;
  /** `table.column` as first declared. Set it when either is renamed. */
  readonly contextId?: string;
  /** At least how many different normalised values there are, where that is less than of the column. */
  readonly distinct?: number;
  /** The share of rows with the most frequent normalised value, where that is more than of the column. */
  readonly commonest?: number;
}

/**
 * Declares a blind index over one encrypted column or several, under the column that holds its values: a text column
 * without a UNIQUE constraint.
 *
 * What it tells whoever reads the database, without any key: which rows *may* hold the same value (rows with different
 * values share an index value on purpose, which is what `bits` is about), how often index values occur, and, over time,
 * whether a change changed it. Whoever can also write, and see an index value appear, learns which rows may hold a value
 * of his choice. It tells nothing across tenants. Values that are searched must be filtered again after decryption
 * (`matches`): some hits are coincidences.
 *
 * @example
 * const indexes = { email_index: blindIndex('email', { normalise: ['trim', 'lower-case'], bits: 12 }) };
 */
export function blindIndex(on: string | readonly string[], options: BlindIndexOptions): IndexDeclaration {
  const columns = [on].flat();
  const { normalise = [], bits, contextId, distinct, commonest } = options;
  const byColumn = isList(normalise) ? Object.fromEntries(columns.map((column) => [column, normalise])) : normalise;
  for (const steps of Object.values(byColumn)) assertNormalisers(steps);
  return {
    on: columns,
    normalise: byColumn,
    bits,
    ...(contextId !== undefined && { contextId }),
    ...(distinct !== undefined && { distinct }),
    ...(commonest !== undefined && { commonest }),
  };
}

function isList(normalise: NonNullable<BlindIndexOptions['normalise']>): normalise is readonly Normaliser[] {
  return Array.isArray(normalise);
}
