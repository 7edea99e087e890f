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
  readonly columnIndex: number;
  /** The place of its row in the batch. */
  readonly rowIndex: number;
  readonly #row: SweptRow;
  readonly #subjects: SubjectSource | null;

  constructor(
    field: Field<unknown>,
    stored: StoredValue,
    [columnIndex, rowIndex]: readonly [number, number],
    row: SweptRow,
    subjects: SubjectSource | null,
  ) {
    this.field = field;
    this.stored = stored;
    this.columnIndex = columnIndex;
    this.rowIndex = rowIndex;
    this.#row = row;
    this.#subjects = subjects;
  }

  get place(): Place {
    return this.field.placeIn(this.#row.context, this.#subjects);
  }
}

const NOTHING: readonly never[] = Object.freeze([]);

/** Most often there is one alone; `push` would make room for 17. */
function withOne<T>(several: readonly T[], one: T): readonly T[] {
  return several.length === 0 ? [one] : [...several, one];
}

/** The outcomes of one column, by the places of the rows; null where there is none. */
type ColumnOutcomes = (Outcome | null)[];

/** What became of fields, by the places of the rows; nothing of NULL. */
type DoneFields = ReadonlyMap<Field<unknown>, Map<number, Transformed>>;

/** What is done to the rows of a batch. */
interface WorkedBatch {
  /** The names of the columns. */
  readonly columns: readonly string[];
  /** Of each of them. */
  readonly outcomes: readonly ColumnOutcomes[];
}

/**
 * A row's part of its batch. A batch has thousands of rows in memory until it is written, and whatever each of them keeps is
 * copied by the garbage collector meanwhile; so a row has nothing of its own but its outcomes, and the rest is made of
 * them when it is asked for.
 */
class RowOfBatch implements RowWork {
  readonly #batch: WorkedBatch;
  readonly #row: number;

  constructor(batch: WorkedBatch, row: number) {
    this.#batch = batch;
    this.#row = row;
  }

  get changes(): readonly ColumnChange[] {
    let changes: readonly ColumnChange[] = NOTHING;
    const { outcomes } = this.#batch;
    for (let columnIndex = 0; columnIndex < outcomes.length; columnIndex++) {
      const outcome = outcomes[columnIndex]?.[this.#row];
      if (outcome?.kind === 'write') changes = withOne(changes, { columnIndex, value: outcome.value });
    }
    return changes;
  }

  get failures(): RowWork['failures'] {
    let failures: RowWork['failures'] = NOTHING;
    const { outcomes } = this.#batch;
    for (let columnIndex = 0; columnIndex < outcomes.length; columnIndex++) {
      const outcome = outcomes[columnIndex]?.[this.#row];
      if (outcome?.kind === 'failed') failures = withOne(failures, { columnIndex, reason: outcome.reason });
    }
    return failures;
  }

  count(tally: Tally, isSkipped = false): void {
    const { columns, outcomes } = this.#batch;
    for (let i = 0; i < outcomes.length; i++) {
      const outcome = outcomes[i]?.[this.#row];
      if (outcome) countOutcome(tally, columns[i] as string, outcome, isSkipped);
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
  /** The fields that indexes are made of: what they are opened as is needed. */
  const indexed = new Set(indexes.flatMap((index) => index.fields));
  return (rows) => {
    const outcomes = columns.map((): ColumnOutcomes => new Array<Outcome | null>(rows.length).fill(null));
    const done = workOnFields(rows, outcomes);
    workOnIndexes(rows, outcomes, done);
    const batch: WorkedBatch = { columns, outcomes };
    return rows.map((_, rowIndex) => new RowOfBatch(batch, rowIndex));
  };

  /** @returns what became of each value that an index is made of, by its field and the place of its row */
  function workOnFields(rows: readonly SweptRow[], outcomes: readonly ColumnOutcomes[]): DoneFields {
    const records: RowRecord[] = [];
    for (const [columnIndex, field] of fields.entries()) {
      const stored = rows.map(({ values }) => values[columnIndex] as StoredValue | null);
      const told = indexesOnly || indexed.has(field) ? null : transform.column?.(ring, field, stored);
      for (let rowIndex = 0; rowIndex < stored.length; rowIndex++) {
        const value = stored[rowIndex] as StoredValue | null;
        const outcome = told?.[rowIndex];
        if (outcome) settle(outcomes, columnIndex, rowIndex, outcome);
        else if (value !== null) {
          records.push(new RowRecord(field, value, [columnIndex, rowIndex], rows[rowIndex] as SweptRow, subjects));
        }
      }
    }
    const done: DoneFields = new Map([...indexed].map((field) => [field, new Map()]));
    for (const [i, one] of transformRecords(transform, ring, records).entries()) {
      const { field, columnIndex, rowIndex } = records[i] as RowRecord;
      if (!indexesOnly) settle(outcomes, columnIndex, rowIndex, one.outcome);
      done.get(field)?.set(rowIndex, one);
    }
    return done;
  }

  function workOnIndexes(rows: readonly SweptRow[], outcomes: readonly ColumnOutcomes[], done: DoneFields): void {
    for (const [i, index] of indexes.entries()) {
      const columnIndex = fields.length + i;
      for (const [rowIndex, row] of rows.entries()) {
        const stored = row.values[columnIndex] as StoredValue | null;
        const outcome = outcomeOfIndex(index, stored, row, (field) => done.get(field)?.get(rowIndex) ?? null);
        if (outcome) settle(outcomes, columnIndex, rowIndex, outcome);
      }
    }
  }

  function settle(outcomes: readonly ColumnOutcomes[], columnIndex: number, rowIndex: number, outcome: Outcome): void {
    (outcomes[columnIndex] as ColumnOutcomes)[rowIndex] = storable(outcome, canStore);
  }

  /** What a row's index value should be, or why nobody can say: a field that cannot be read. */
  function expectedOf(
    index: BlindIndex,
    row: SweptRow,
    doneTo: (field: Field<unknown>) => Transformed | null,
  ): readonly IndexValue[] | FailureReason {
    const parts: Record<string, unknown> = {};
    for (const field of index.fields) {
      const one = doneTo(field);
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
    doneTo: (field: Field<unknown>) => Transformed | null,
  ): Outcome | null {
    try {
      const expected = expectedOf(index, row, doneTo);
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

function storable(outcome: Outcome, canStore: (text: string) => boolean): Outcome {
  const isHeld = outcome.kind !== 'write' || typeof outcome.value !== 'string' || canStore(outcome.value);
  return isHeld ? outcome : { kind: 'failed', reason: 'not_text' };
}
