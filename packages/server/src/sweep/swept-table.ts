/** A declared table matched with the database: what a sweep needs to walk it. */
import { type BlindIndex, type Field, FieldsealError } from 'fieldseal';

/** A table whose declaration and catalogue agree. */
export interface SweptTable {
  /** What reports and ranges call it: its name in the database (PostgreSQL: as declared, `table` or `schema.table`). */
  readonly name: string;
  /** The columns that identify a row, none of them swept. */
  readonly keyColumns: readonly string[];
  /** The same columns by the names of the declaration, where those differ: values are bound to a row by them. */
  readonly keyNames?: readonly string[];
  /** SQLite: rows may have a NULL in their key, and are then walked by this name of their rowid. Null: they cannot. */
  readonly rowidName: string | null;
  readonly fields: readonly Field<unknown>[];
  /** The blind indexes that the run writes or checks; absent: none. */
  readonly indexes?: readonly BlindIndex[];
  /** The run leaves the fields as they are and does not count them: they are what its indexes are made of. */
  readonly indexesOnly?: true;
  /** Further columns that values are bound to: tenant and subject, where fields or indexes need them and the key does not tell. */
  readonly context?: readonly string[];
  /** One of the service's own, which nobody declares; a report names it once it has records. */
  readonly isOwn?: true;
}

/** @throws FieldsealError `ERR_CONFIG_INVALID` for a table that is in a run, and not in the configuration any more */
export function tableNamed<Table extends SweptTable>(tables: readonly Table[], name: string): Table {
  const table = tables.find((candidate) => candidate.name === name);
  if (table) return table;
  throw new FieldsealError(
    'ERR_CONFIG_INVALID',
    `The unfinished run sweeps ${name}, which the configuration no longer declares.`,
  );
}

/** The columns that are read of each row, in this order: fields, indexes, context. */
export function sweptColumns({ fields, indexes = [], context = [] }: SweptTable): string[] {
  return [...fields.map(({ column }) => column), ...indexes.map(({ column }) => column), ...context];
}

/** The columns that a run counts records of. */
export function countedColumns({ fields, indexes = [], indexesOnly }: SweptTable): string[] {
  return [...(indexesOnly ? [] : fields), ...indexes].map(({ column }) => column);
}

/** A table of a PostgreSQL database; of a partitioned one, one of its partitions. */
export interface PostgresSweptTable extends SweptTable {
  /** Quoted, in its schema. */
  readonly sqlName: string;
  /** `keyColumns` with what their text is cast to. */
  readonly keys: readonly { readonly column: string; readonly castType: string; readonly isInteger: boolean }[];
  /** Something of the application's runs when the swept columns are written. */
  readonly hasTriggers?: true;
}

/** The tables, and the update triggers that were found and allowed, as `table: trigger` texts. */
export interface Preflight<Table extends SweptTable = SweptTable> {
  readonly tables: readonly Table[];
  readonly triggers: readonly string[];
}
