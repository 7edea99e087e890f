/** The declaration of tables and columns, which sweeps and adapters both read. */
import type { Codec } from './codec.js';
import type { Mask } from './mask.js';
import { assertModel } from './model-check.js';
import type { Normaliser } from './normaliser.js';
import type { SchemeName, Storage, WritingScheme } from './scheme.js';

/** How one column is encrypted; `encrypted(…)` makes one. */
export interface ColumnDeclaration<T> {
  readonly codec: Codec<T>;
  /** The scheme that writes. */
  readonly scheme: WritingScheme;
  /** Further schemes that reading accepts. */
  readonly alsoReads: readonly SchemeName[];
  /** What an `xaes` value is bound to besides its column and its table's tenant. */
  readonly boundTo: 'column' | 'row';
  readonly storage: Storage;
  /** Absent: `table.column`. */
  readonly contextId?: string;
  readonly mask?: Mask;
  readonly distinct?: number;
  readonly commonest?: number;
}

/** A blind index; `blindIndex(…)` makes one. */
export interface IndexDeclaration {
  /** The encrypted columns that it is made of, in order. */
  readonly on: readonly string[];
  /** The normalisers of each text column. */
  readonly normalise: Readonly<Record<string, readonly Normaliser[]>>;
  readonly bits: number;
  /** Absent: `table.column`. */
  readonly contextId?: string;
  readonly distinct?: number;
  readonly commonest?: number;
}

/** One table: its primary key, its context and its encrypted columns, by their names in the database. */
export interface TableDeclaration<Row = Record<string, unknown>> {
  /** The columns of the primary key, in its order. Never an encrypted column. */
  readonly primaryKey: (keyof Row & string) | readonly (keyof Row & string)[];
  /** The column that names the row's owner: `xaes` values and blind indexes do not work under another tenant. */
  readonly tenant?: keyof Row & string;
  /** The column that names the person whose data the row holds: `fieldseal erase` makes `xaes-subject` values unreadable. */
  readonly subject?: keyof Row & string;
  /**
   * How many rows the table will have, of each tenant where it has tenants: an index tells nothing across them. Its blind
   * indexes are planned for it.
   */
  readonly rows?: number;
  readonly columns: { readonly [Column in keyof Row & string]?: ColumnDeclarationOf<Row[Column]> };
  /** Blind indexes by the columns that hold them. */
  readonly indexes?: { readonly [Column in keyof Row & string]?: IndexDeclaration };
}

/** A value as a query returns it: of Kysely's `ColumnType` and `Generated` the selected type. */
type Selected<T> = T extends { readonly __select__: infer S } ? S : T;

// biome-ignore lint/suspicious/noExplicitAny: where no reference type is given, a column may have any value; its codec knows which
type ColumnDeclarationOf<T> = unknown extends T ? ColumnDeclaration<any> : ColumnDeclaration<NonNullable<Selected<T>>>;

/** The part of a Drizzle table that tells its columns' names in the database and their types. */
interface DrizzleTableLike {
  readonly _: { readonly columns: Record<string, { readonly _: { readonly name: string; readonly data: unknown } }> };
}

/** A table's row by the names of the database: of a Drizzle table, else the interface itself. */
type RowOf<Table> = Table extends DrizzleTableLike
  ? {
      [Property in keyof Table['_']['columns'] as Table['_']['columns'][Property]['_']['name']]: Table['_']['columns'][Property]['_']['data'];
    }
  : Table;

/** Tables by their names in the database. */
export type ModelDeclaration<Schema> = {
  readonly [Table in keyof Schema & string]?: TableDeclaration<RowOf<Schema[Table]>>;
};

/** A checked declaration. */
export interface Model<Declaration = AnyDeclaration> {
  readonly tables: Declaration;
}

// biome-ignore lint/suspicious/noExplicitAny: the default, when no reference type is given, allows every name
export type AnySchema = Record<string, any>;
export type AnyDeclaration = Readonly<Record<string, TableDeclaration>>;

/**
 * Declares which columns are encrypted. Given a reference type (table names to row types, Drizzle tables or a Kysely
 * database), a misspelt name or a codec of another type does not compile. `defineModel<Schema>()({…})` also remembers
 * which columns were declared, so that `encryptRow` and `decryptRow` are typed.
 * @throws FieldsealError `ERR_MODEL_INVALID` (or the one code that all mistakes have), listing every mistake with its
 * table and column
 *
 * @example
 * export const model = defineModel({
 *   users: { primaryKey: 'id', columns: { phone_number: encryptedString({ length: 20 }) } },
 * });
 */
export function defineModel<Schema>(): <const Declaration extends ModelDeclaration<Schema>>(
  tables: Declaration,
) => Model<Declaration>;
export function defineModel<
  Schema = AnySchema,
  const Declaration extends ModelDeclaration<Schema> = ModelDeclaration<Schema>,
>(tables: Declaration): Model<Declaration>;
export function defineModel(tables?: AnyDeclaration) {
  if (tables === undefined) return (declared: AnyDeclaration) => checkedModel(declared);
  return checkedModel(tables);
}

function checkedModel(tables: AnyDeclaration): Model {
  const model = { tables };
  assertModel(model);
  return Object.freeze(model);
}
