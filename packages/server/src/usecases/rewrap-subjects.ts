/** Every subject's secret from one root to another, with most of the work done before anybody is kept waiting. */
import { FieldsealError, isFieldsealError, type SubjectName, type SubjectRoot } from 'fieldseal';
import type { StoreTransaction } from '../store/store.js';
import { subjectPages } from './subject-pages.js';

/** About 150 MB of them. The secrets of more subjects are wrapped while the transaction is open. */
const PREPARED_SECRETS = 500_000;

/** How many secrets are under the new root, and how many opened under no root. */
export interface Rewrapped {
  readonly rewrapped: number;
  readonly abandoned: number;
}

/** One replacement of one root by another. */
export class SubjectRewrap {
  readonly from: SubjectRoot;
  readonly to: SubjectRoot;
  /** Old wrap → new wrap. An old one is of one subject alone, and of one moment. */
  readonly #prepared = new Map<string, string>();

  constructor(from: SubjectRoot, to: SubjectRoot) {
    this.from = from;
    this.to = to;
  }

  /**
   * Opens and wraps what is stored now but for `except`, and writes nothing: cryptography takes longer than the writing.
   * Returns how many of the first half a million do not open. @throws FieldsealError `ERR_RUN_STOPPED`
   */
  async prepare(store: StoreTransaction, except: SubjectName, stop: AbortSignal): Promise<number> {
    let unreadable = 0;
    for await (const rows of subjectPages(store)) {
      if (stop.aborted)
        throw new FieldsealError('ERR_RUN_STOPPED', 'Stopped; nothing was erased, run the same command again.');
      for (const { wrapped, ...name } of rows) {
        if (wrapped === null || (name.tenant === except.tenant && name.subject === except.subject)) continue;
        if (this.#prepared.size >= PREPARED_SECRETS) return unreadable;
        const again = this.#rewrap(name, wrapped);
        if (again === null) unreadable++;
        else this.#prepared.set(wrapped, again);
      }
    }
    return unreadable;
  }

  /** Writes every secret under the new root, some rows at a time; what does not open stays as it is. */
  async write(tx: StoreTransaction): Promise<Rewrapped> {
    let [rewrapped, abandoned] = [0, 0];
    for await (const rows of subjectPages(tx)) {
      const wraps = rows.flatMap(({ tenant, subject, wrapped }) => {
        if (wrapped === null) return [];
        const again = this.#prepared.get(wrapped) ?? this.#rewrap({ tenant, subject }, wrapped);
        if (again !== null) return [{ tenant, subject, wrapped: again }];
        abandoned++;
        return [];
      });
      await tx.subjects.rewrap(wraps);
      rewrapped += wraps.length;
    }
    return { rewrapped, abandoned };
  }

  #rewrap(name: SubjectName, wrapped: string): string | null {
    try {
      const secret = this.from.unwrap(name, wrapped);
      const again = this.to.wrap(name, secret);
      secret.dispose();
      return again;
    } catch (error) {
      if (isFieldsealError(error)) return null;
      throw error;
    }
  }
}
