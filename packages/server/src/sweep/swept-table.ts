/** A declared table matched with the database: what a sweep needs to walk it. */
import type { Field } from 'fieldseal';

/** A table whose declaration and catalogue agree. */
export interface SweptTable {
  /** What reports and ranges call it: its name in the database (PostgreSQL: as declared, `table` or `schema.table`). */
  readonly name: string;
  /** The columns that identify a row, none of them swept. */
  readonly keyColumns: readonly string[];
  /** SQLite: rows may have a NULL in their key, and are then walked by this name of their rowid. Null: they cannot. */
  readonly rowidName: string | null;
  readonly fields: readonly Field<unknown>[];
  /** One of the service's own, which nobody declares; a report names it once it has records. */
  readonly isOwn?: true;
}

/** A table of a PostgreSQL database; of a partitioned one, one of its partitions. */
export interface PostgresSweptTable extends SweptTable {
  /** Quoted, in its schema. */
  readonly sqlName: string;
  /** `keyColumns` with what their text is cast to. */
  readonly keys: readonly { readonly column: string; readonly castType: string; readonly isInteger: boolean }[];
}

/** The tables, and the update triggers that were found and allowed, as `table: trigger` texts. */
export interface Preflight<Table extends SweptTable = SweptTable> {
  readonly tables: readonly Table[];
  readonly triggers: readonly string[];
}
