/** From a row and a transform to what is written, recorded and counted. */
import type { KeyringSnapshot } from 'fieldseal';
import type { RowWork, SweptRow } from './sweep-database.js';
import type { SweptTable } from './swept-table.js';
import { countOutcome } from './tally.js';
import type { Outcome, SweptRecord, Transform } from './transform.js';

/**
 * The function that a batch asks for each of its rows, and again for a row that moved on meanwhile.
 * @param canStore whether the database's text can hold a value; one that it cannot stays as it is, as unreadable
 */
export function rowWork(
  table: SweptTable,
  ring: KeyringSnapshot,
  transform: Transform,
  canStore: (text: string) => boolean = () => true,
): (row: SweptRow) => RowWork {
  return ({ values }) => {
    const fieldIndexes = values.flatMap((value, fieldIndex) => (value === null ? [] : [fieldIndex]));
    const records = fieldIndexes.map((i) => ({ field: table.fields[i], stored: values[i] }) as SweptRecord);
    const outcomes = transform(ring, records).map((outcome, i) => ({
      fieldIndex: fieldIndexes[i] as number,
      column: records[i]?.field.column as string,
      stored: records[i]?.stored as string,
      outcome: storable(outcome, canStore),
    }));
    return {
      changes: outcomes.flatMap(({ fieldIndex, stored, outcome }) =>
        outcome.kind === 'write' ? [{ fieldIndex, stored, value: outcome.value }] : [],
      ),
      failures: outcomes.flatMap(({ fieldIndex, outcome }) =>
        outcome.kind === 'failed' ? [{ fieldIndex, reason: outcome.reason }] : [],
      ),
      count: (tally, isSkipped) => {
        for (const { column, outcome } of outcomes) countOutcome(tally, column, outcome, isSkipped);
      },
    };
  };
}

function storable(outcome: Outcome, canStore: (text: string) => boolean): Outcome {
  return outcome.kind === 'write' && !canStore(outcome.value) ? { kind: 'failed', reason: 'not_text' } : outcome;
}
