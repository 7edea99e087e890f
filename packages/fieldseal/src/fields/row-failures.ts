/** What failed of a batch of rows. */
import { FieldsealError, isFieldsealError } from '../errors.js';

/** The rows of a batch that failed, each with the first of its errors. */
export class RowFailures {
  readonly #rows: number;
  readonly #errors = new Map<number, FieldsealError>();

  constructor(rows: number) {
    this.#rows = rows;
  }

  /** Runs `work` for a row, and keeps its refusal. */
  attempt(index: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isFieldsealError(error)) throw error;
      if (!this.#errors.has(index)) this.#errors.set(index, error);
    }
  }

  /** @throws FieldsealError with the code of the first row that failed, and `indexes` of all that did */
  throwIfAny(): void {
    const indexes = [...this.#errors.keys()].sort((a, b) => a - b);
    const first = this.#errors.get(indexes[0] ?? -1);
    if (!first) return;
    const message = `${indexes.length} of ${this.#rows} rows failed; their indexes are in \`indexes\`. The first: ${first.message}`;
    throw new FieldsealError(first.code, message, { indexes });
  }
}
