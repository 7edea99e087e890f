/** From a row and a transform to what is written, recorded and counted. */
import {
  type BlindIndex,
  type Field,
  type IndexValue,
  isFieldsealError,
  type KeyringSnapshot,
  type Place,
  type SubjectSource,
} from 'fieldseal';
import type { ColumnChange, RowWork, SweptRow } from './sweep-database.js';
import type { SweptTable } from './swept-table.js';
import { countOutcome, type Tally } from './tally.js';
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

/** A record whose place is made when a scheme asks for it: most never do. */
class RowRecord implements SweptRecord {
  readonly field: Field<unknown>;
  readonly stored: StoredValue;
  readonly #row: SweptRow;
  readonly #subjects: SubjectSource | null;

  constructor(field: Field<unknown>, stored: StoredValue, row: SweptRow, subjects: SubjectSource | null) {
    this.field = field;
    this.stored = stored;
    this.#row = row;
    this.#subjects = subjects;
  }

  get place(): Place {
    return this.field.placeIn(this.#row.context, this.#subjects);
  }
}

/**
 * Holds outcomes alone, as many as there are columns: a batch has thousands of rows in memory until it is written, and what
 * was deciphered for them, or can be told from the outcomes, can go meanwhile.
 */
class OutcomesOfRow implements RowWork {
  readonly #columns: readonly string[];
  readonly #outcomes: readonly (Outcome | null)[];
  /** Made when the batch is written. */
  #changes: readonly ColumnChange[] | null = null;

  /** @param outcomes of each column; null where there is none */
  constructor(columns: readonly string[], outcomes: readonly (Outcome | null)[]) {
    this.#columns = columns;
    this.#outcomes = outcomes;
  }

  get changes(): readonly ColumnChange[] {
    if (this.#changes) return this.#changes;
    const changes: ColumnChange[] = [];
    for (let columnIndex = 0; columnIndex < this.#outcomes.length; columnIndex++) {
      const outcome = this.#outcomes[columnIndex];
      if (outcome?.kind === 'write') changes.push({ columnIndex, value: outcome.value });
    }
    this.#changes = changes;
    return changes;
  }

  get failures(): { columnIndex: number; reason: FailureReason }[] {
    const failures: { columnIndex: number; reason: FailureReason }[] = [];
    for (let columnIndex = 0; columnIndex < this.#outcomes.length; columnIndex++) {
      const outcome = this.#outcomes[columnIndex];
      if (outcome?.kind === 'failed') failures.push({ columnIndex, reason: outcome.reason });
    }
    return failures;
  }

  count(tally: Tally, isSkipped = false): void {
    for (let i = 0; i < this.#outcomes.length; i++) {
      const outcome = this.#outcomes[i];
      if (outcome) countOutcome(tally, this.#columns[i] as string, outcome, isSkipped);
    }
  }
}

/** The function that a batch is given to; rows that moved on meanwhile are given to it again. */
export function rowWork(
  table: SweptTable,
  ring: KeyringSnapshot,
  transform: Transform,
  { canStore = () => true, subjects = null }: RowWorkOptions = {},
): (rows: readonly SweptRow[]) => RowWork[] {
  const { fields, indexes = [], indexesOnly } = table;
  const columns = [...fields, ...indexes].map(({ column }) => column);
  return (rows) => {
    const records: SweptRecord[] = [];
    for (const row of rows) {
      for (let i = 0; i < fields.length; i++) {
        const stored = row.values[i] as StoredValue | null;
        if (stored !== null) records.push(new RowRecord(fields[i] as Field<unknown>, stored, row, subjects));
      }
    }
    const transformed = transformRecords(transform, ring, records).values();
    return rows.map((row) => workOf(row, (i) => (row.values[i] === null ? null : nextOf(transformed))));
  };

  /** @param take the outcome of the row's field of that place, null for NULL; asked for each field in turn */
  function workOf(row: SweptRow, take: (columnIndex: number) => Transformed | null): RowWork {
    const outcomes = new Array<Outcome | null>(columns.length).fill(null);
    const done = new Array<Transformed | null>(fields.length).fill(null);
    for (let i = 0; i < fields.length; i++) {
      const one = take(i);
      done[i] = one;
      if (one && !indexesOnly) outcomes[i] = storable(one.outcome, canStore);
    }
    for (const [i, index] of indexes.entries()) {
      const columnIndex = fields.length + i;
      const outcome = outcomeOfIndex(index, row.values[columnIndex] as StoredValue | null, row, done);
      if (outcome) outcomes[columnIndex] = storable(outcome, canStore);
    }
    return new OutcomesOfRow(columns, outcomes);
  }

  /** What a row's index value should be, or why nobody can say: a field that cannot be read. */
  function expectedOf(
    index: BlindIndex,
    row: SweptRow,
    done: readonly (Transformed | null)[],
  ): readonly IndexValue[] | FailureReason {
    const parts: Record<string, unknown> = {};
    for (const field of index.fields) {
      const one = done[fields.indexOf(field)] as Transformed | null;
      // An erased value leaves no index behind.
      const isErased = one?.outcome.kind === 'current' && one.outcome.holds === ERASED;
      if (one === null || isErased) parts[field.column] = null;
      else if (one.outcome.kind === 'failed') return one.outcome.reason;
      else if (one.opened) parts[field.column] = one.opened.decode(field.declaration.codec);
    }
    return index.values(ring, index.parts(parts), row.context);
  }

  function outcomeOfIndex(
    index: BlindIndex,
    stored: StoredValue | null,
    row: SweptRow,
    done: readonly (Transformed | null)[],
  ): Outcome | null {
    try {
      const expected = expectedOf(index, row, done);
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

function nextOf<T>(values: Iterator<T>): T {
  return values.next().value as T;
}

function storable(outcome: Outcome, canStore: (text: string) => boolean): Outcome {
  const isHeld = outcome.kind !== 'write' || typeof outcome.value !== 'string' || canStore(outcome.value);
  return isHeld ? outcome : { kind: 'failed', reason: 'not_text' };
}
