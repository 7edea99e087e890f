/** From a row and a transform to what is written, recorded and counted. */
import {
  type BlindIndex,
  type IndexValue,
  isFieldsealError,
  type KeyringSnapshot,
  type SubjectSource,
} from 'fieldseal';
import type { RowWork, SweptRow } from './sweep-database.js';
import type { SweptTable } from './swept-table.js';
import { countOutcome } from './tally.js';
import {
  ERASED,
  type FailureReason,
  indexOutcome,
  type Outcome,
  reasonOf,
  type StoredValue,
  type Transform,
  type Transformed,
  transformRecord,
} from './transform.js';

/** What a row's work needs besides row and transform. */
export interface RowWorkOptions {
  /** Whether the database's text can hold a value; one that it cannot stays as it is, as unreadable. */
  readonly canStore?: (text: string) => boolean;
  /** The open keys of subjects. */
  readonly subjects?: SubjectSource | null;
}

/** One column of a row, and what becomes of it. */
interface ColumnOutcome {
  readonly columnIndex: number;
  readonly column: string;
  readonly outcome: Outcome;
}

/** The function that a batch asks for each of its rows, and again for a row that moved on meanwhile. */
export function rowWork(
  table: SweptTable,
  ring: KeyringSnapshot,
  transform: Transform,
  { canStore = () => true, subjects = null }: RowWorkOptions = {},
): (row: SweptRow) => RowWork {
  const { fields, indexes = [], indexesOnly } = table;
  return ({ values, context }) => {
    const done = fields.map((field, i): Transformed | null => {
      const stored = values[i] as StoredValue | null;
      if (stored === null) return null;
      return transformRecord(transform, ring, { field, stored, place: field.placeIn(context, subjects) });
    });
    const ofFields = done.flatMap((transformed, columnIndex): ColumnOutcome[] =>
      transformed && !indexesOnly
        ? [{ columnIndex, column: fields[columnIndex]?.column as string, outcome: transformed.outcome }]
        : [],
    );
    const ofIndexes = indexes.flatMap((index, i): ColumnOutcome[] => {
      const columnIndex = fields.length + i;
      const outcome = outcomeOfIndex(index, values[columnIndex] as StoredValue | null);
      return outcome ? [{ columnIndex, column: index.column, outcome }] : [];
    });

    /** What a row's index value should be, or why nobody can say: a field that cannot be read. */
    function expectedOf(index: BlindIndex): readonly IndexValue[] | FailureReason {
      const parts: Record<string, unknown> = {};
      for (const field of index.fields) {
        const transformed = done[fields.indexOf(field)] as Transformed | null;
        // An erased value leaves no index behind.
        const isErased = transformed?.outcome.kind === 'current' && transformed.outcome.holds === ERASED;
        if (transformed === null || isErased) parts[field.column] = null;
        else if (transformed.outcome.kind === 'failed') return transformed.outcome.reason;
        else if (transformed.opened) parts[field.column] = transformed.opened.decode(field.declaration.codec);
      }
      return index.values(ring, index.parts(parts), context);
    }

    function outcomeOfIndex(index: BlindIndex, stored: StoredValue | null): Outcome | null {
      try {
        const expected = expectedOf(index);
        if (typeof expected !== 'string') return indexOutcome(transform, expected, stored);
        // Where the run counts fields too, the field's own failure says it.
        return indexesOnly ? { kind: 'failed', reason: expected } : null;
      } catch (error) {
        // A ring without a key for indexes is no fault of a row.
        if (isFieldsealError(error) && error.code === 'ERR_KEY_NOT_FOUND') throw error;
        return { kind: 'failed', reason: reasonOf(error) };
      }
    }

    const outcomes = [...ofFields, ...ofIndexes].map((one) => ({ ...one, outcome: storable(one.outcome, canStore) }));
    return {
      changes: outcomes.flatMap(({ columnIndex, outcome }) =>
        outcome.kind === 'write' ? [{ columnIndex, value: outcome.value }] : [],
      ),
      failures: outcomes.flatMap(({ columnIndex, outcome }) =>
        outcome.kind === 'failed' ? [{ columnIndex, reason: outcome.reason }] : [],
      ),
      count: (tally, isSkipped) => {
        for (const { column, outcome } of outcomes) countOutcome(tally, column, outcome, isSkipped);
      },
    };
  };
}

function storable(outcome: Outcome, canStore: (text: string) => boolean): Outcome {
  const isHeld = outcome.kind !== 'write' || typeof outcome.value !== 'string' || canStore(outcome.value);
  return isHeld ? outcome : { kind: 'failed', reason: 'not_text' };
}
