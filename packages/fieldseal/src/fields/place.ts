/** Where a value stands: what a token of the `xaes` schemes is bound to (FORMAT.md §3). */
import { contextText, ownerText } from '../core/context-text.js';
import { lengthPrefixed } from '../core/length-prefix.js';
import { FieldsealError } from '../errors.js';
import type { SubjectKey } from '../keys/subject-key.js';

/** A row's values by the names of its columns, as an application or a sweep has them. */
export type ContextRow = Readonly<Record<string, unknown>>;

/** Hands out the loaded keys of subjects: `SubjectKeys`, as far as a place needs it. */
export interface SubjectSource {
  /** @throws FieldsealError `ERR_SUBJECT_KEY_NOT_LOADED`, `ERR_SUBJECT_ERASED` */
  get(tenant: string, subject: string): SubjectKey;
  /** Moves whenever a subject was erased. */
  readonly generation: number;
}

/** What the declaration of a table and a column says about context. */
export interface ContextDeclaration {
  /** `table.column`, by the names of the day when the column was first declared. */
  readonly contextId: string;
  readonly tenant: string | null;
  readonly subject: string | null;
  /** The columns of the primary key when the field is bound to its row, else null. */
  readonly rowKey: readonly string[] | null;
}

const NO_BYTES = Buffer.alloc(0);

/** The part behind the last dot is the column. */
export function splitContextId(contextId: string): { readonly table: string; readonly column: string } {
  const dot = contextId.lastIndexOf('.');
  return { table: contextId.slice(0, dot), column: contextId.slice(dot + 1) };
}

function incomplete(what: string, column: string): FieldsealError {
  const mend =
    what === 'primary key'
      ? 'give it, or select it, with the row (a key that the database makes is known only after the insert: insert the row ' +
        'without this value and update it, or make the key in the application)'
      : 'give the row with it';
  return new FieldsealError(
    'ERR_CONTEXT_INCOMPLETE',
    `The value is bound to the row's ${what}, and the row has no ${column}; ${mend}.`,
  );
}

/** One part of a primary key: `t` and its text, or `b` and its bytes. */
function keyPart(value: unknown): Buffer {
  if (value instanceof Uint8Array) return Buffer.concat([Buffer.from('b'), value]);
  return Buffer.from(`t${contextText(value)}`);
}

/**
 * One field's place. Nothing is looked up before a scheme asks for it: a scheme that binds to no place needs no row.
 * Getters throw `ERR_CONTEXT_INCOMPLETE` when the row lacks what the declaration binds to, and `ERR_CONTEXT_TYPE` when
 * that is of a kind that binds to nothing.
 */
export class Place {
  readonly #declared: ContextDeclaration;
  readonly #row: ContextRow | null;
  readonly #subjects: SubjectSource | null;

  constructor(declared: ContextDeclaration, row: ContextRow | null = null, subjects: SubjectSource | null = null) {
    this.#declared = declared;
    this.#row = row;
    this.#subjects = subjects;
  }

  /** The tenant's text; empty where the table declares none. */
  get tenant(): string {
    const { tenant } = this.#declared;
    return tenant === null ? '' : ownerText(this.#value(tenant, 'tenant'));
  }

  /** LP of the parts of the primary key, or no bytes for a field that is not bound to its row. */
  get primaryKey(): Uint8Array {
    const { rowKey } = this.#declared;
    if (rowKey === null) return NO_BYTES;
    return lengthPrefixed(...rowKey.map((column) => keyPart(this.#value(column, 'primary key'))));
  }

  /** The subject's loaded key. @throws FieldsealError `ERR_SUBJECT_KEY_NOT_LOADED`, `ERR_SUBJECT_ERASED` */
  get subject(): SubjectKey {
    const { subject } = this.#declared;
    // A declaration without a subject that still meets such a token: somebody took the subject out too early.
    if (subject === null) {
      throw new FieldsealError('ERR_CONTEXT_INCOMPLETE', 'The value is under a subject’s key; declare the subject.');
    }
    const text = ownerText(this.#value(subject, 'subject'));
    if (this.#subjects) return this.#subjects.get(this.tenant, text);
    throw new FieldsealError(
      'ERR_SUBJECT_KEY_NOT_LOADED',
      'The value is under a subject’s key, and no subject keys are open; pass `subjects` (see openSubjectKeys).',
    );
  }

  /** `LP(label, tenant, table, column, primary key, key id, …more)`. */
  associatedData(label: string, keyId: number, ...more: readonly string[]): Buffer {
    const { table, column } = splitContextId(this.#declared.contextId);
    const id = Buffer.alloc(4);
    id.writeUInt32BE(keyId);
    return lengthPrefixed(label, this.tenant, table, column, this.primaryKey, id, ...more);
  }

  #value(column: string, what: string): unknown {
    const value = this.#row?.[column];
    if (value === undefined || value === null) throw incomplete(what, column);
    return value;
  }
}

/** Of a value that stands nowhere in particular, for schemes that bind to no place. */
export const NO_PLACE = new Place({ contextId: '.', tenant: null, subject: null, rowKey: null });
