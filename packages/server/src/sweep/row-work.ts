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
  type SweptRecord,
  type Transform,
  type Transformed,
  transformRecords,
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

/** The function that a batch is given to; rows that moved on meanwhile are given to it again. */
export function rowWork(
  table: SweptTable,
  ring: KeyringSnapshot,
  transform: Transform,
  { canStore = () => true, subjects = null }: RowWorkOptions = {},
): (rows: readonly SweptRow[]) => RowWork[] {
  const { fields, indexes = [], indexesOnly } = table;
  return (rows) => {
    const records: SweptRecord[] = [];
    for (const { values, context } of rows) {
      for (const [i, field] of fields.entries()) {
        const stored = values[i] as StoredValue | null;
        if (stored !== null) records.push({ field, stored, place: field.placeIn(context, subjects) });
      }
    }
    const transformed = transformRecords(transform, ring, records).values();
    return rows.map((row) => workOf(row, (i) => (row.values[i] === null ? null : nextOf(transformed))));
  };

  /** @param take the outcome of the row's field of that place, null for NULL; asked for each field in turn */
  function workOf({ values, context }: SweptRow, take: (columnIndex: number) => Transformed | null): RowWork {
    const done = fields.map((_, i) => take(i));
    const ofFields = done.flatMap((one, columnIndex): ColumnOutcome[] =>
      one && !indexesOnly ? [{ columnIndex, column: fields[columnIndex]?.column as string, outcome: one.outcome }] : [],
    );
    const ofIndexes = indexes.flatMap((index, i): ColumnOutcome[] => {
      const columnIndex = fields.length + i;
      const outcome = outcomeOfIndex(index, values[columnIndex] as StoredValue | null);
      return outcome ? [{ columnIndex, column: index.column, outcome }] : [];
    });
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

    /** What a row's index value should be, or why nobody can say: a field that cannot be read. */
    function expectedOf(index: BlindIndex): readonly IndexValue[] | FailureReason {
      const parts: Record<string, unknown> = {};
      for (const field of index.fields) {
        const one = done[fields.indexOf(field)] as Transformed | null;
        // An erased value leaves no index behind.
        const isErased = one?.outcome.kind === 'current' && one.outcome.holds === ERASED;
        if (one === null || isErased) parts[field.column] = null;
        else if (one.outcome.kind === 'failed') return one.outcome.reason;
        else if (one.opened) parts[field.column] = one.opened.decode(field.declaration.codec);
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
  }
}

function nextOf<T>(values: Iterator<T>): T {
  return values.next().value as T;
}

function storable(outcome: Outcome, canStore: (text: string) => boolean): Outcome {
  const isHeld = outcome.kind !== 'write' || typeof outcome.value !== 'string' || canStore(outcome.value);
  return isHeld ? outcome : { kind: 'failed', reason: 'not_text' };
}
