/** A declared table matched with the database: what a sweep needs to walk it. */
import type { Field } from 'fieldseal';

/** A table whose declaration and catalogue agree. */
export interface SweptTable {
  /** By its name in the database. */
  readonly name: string;
  /** The columns that identify a row, none of them swept. */
  readonly keyColumns: readonly string[];
  /** SQLite: rows may have a NULL in their key, and are then walked by this name of their rowid. Null: they cannot. */
  readonly rowidName: string | null;
  readonly fields: readonly Field<unknown>[];
}

/** Update triggers that were found, as `table: trigger` texts, and allowed or not. */
export interface Preflight {
  readonly tables: readonly SweptTable[];
  readonly triggers: readonly string[];
}
