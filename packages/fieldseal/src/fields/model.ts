/** The declaration of tables and columns, which sweeps and adapters both read. */
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';
import { SCHEMES, type SchemeName } from './scheme.js';

/** How one column is encrypted. */
export interface ColumnDeclaration<T> {
  readonly codec: Codec<T>;
  /** The scheme that writes. */
  readonly scheme: 'fernet';
  /** Further schemes that reading accepts. */
  readonly alsoReads: readonly SchemeName[];
}

/** One table: its primary key and its encrypted columns, by their names in the database. */
export interface TableDeclaration<Row = Record<string, unknown>> {
  /** The columns of the primary key, in its order. Never an encrypted column. */
  readonly primaryKey: (keyof Row & string) | readonly (keyof Row & string)[];
  // biome-ignore lint/suspicious/noExplicitAny: a column of any value type; the codec knows which
  readonly columns: { readonly [Column in keyof Row & string]?: ColumnDeclaration<any> };
}

/** Tables by their names in the database. */
export type ModelDeclaration<Schema> = {
  readonly [Table in keyof Schema & string]?: TableDeclaration<Schema[Table]>;
};

/** A checked declaration. */
export interface Model<Declaration = AnyDeclaration> {
  readonly tables: Declaration;
}

// biome-ignore lint/suspicious/noExplicitAny: the default, when no reference type is given, allows every name
export type AnySchema = Record<string, any>;
export type AnyDeclaration = Readonly<Record<string, TableDeclaration>>;

/** Names that every table may have in SQLite and PostgreSQL; the quoting is ours. */
function isName(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && !name.includes('\0');
}

function tableMistakes(table: string, declaration: TableDeclaration | undefined): string[] {
  const keys = [declaration?.primaryKey ?? []].flat();
  const columns = Object.entries(declaration?.columns ?? {});
  const mistakes: string[] = [];
  if (!isName(table)) mistakes.push('a table needs a name');
  if (keys.length === 0 || !keys.every(isName)) mistakes.push(`${table}: primaryKey is missing`);
  if (new Set(keys).size !== keys.length) mistakes.push(`${table}: primaryKey names a column twice`);
  if (columns.length === 0) mistakes.push(`${table}: columns is empty`);
  for (const [column, declared] of columns) {
    const place = `${table}.${column}`;
    if (!isName(column)) mistakes.push(`${table}: a column needs a name`);
    if (keys.includes(column)) mistakes.push(`${place}: a column of the primary key cannot be encrypted`);
    const isDeclared = typeof declared?.codec?.encode === 'function' && declared.scheme === 'fernet';
    if (!isDeclared || !Array.isArray(declared.alsoReads)) {
      mistakes.push(`${place}: declare it with encryptedString(…)`);
    } else if (!declared.alsoReads.every((scheme) => Object.hasOwn(SCHEMES, scheme))) {
      mistakes.push(
        `${place}: alsoReads names a scheme that does not exist (there are ${Object.keys(SCHEMES).join(', ')})`,
      );
    }
  }
  return mistakes;
}

/** Checks a declaration that may come from anywhere. @throws FieldsealError `ERR_MODEL_INVALID`, listing every mistake */
export function assertModel(model: unknown): asserts model is Model {
  const tables = (model as Model | undefined)?.tables;
  if (typeof tables !== 'object' || tables === null) {
    throw new FieldsealError('ERR_MODEL_INVALID', 'The model is not one that defineModel(…) returned.');
  }
  const mistakes = Object.entries(tables).flatMap(([table, declaration]) => tableMistakes(table, declaration));
  if (mistakes.length > 0) {
    throw new FieldsealError(
      'ERR_MODEL_INVALID',
      `The model has ${mistakes.length} mistake(s): ${mistakes.join('; ')}.`,
    );
  }
}

/**
 * Declares which columns are encrypted. Given a reference type (table names to row types), a misspelt name does not
 * compile; a plain declaration is checked against the database when a sweep begins.
 * @throws FieldsealError `ERR_MODEL_INVALID`, listing every mistake with its table and column
 *
 * @example
 * export const model = defineModel({
 *   users: { primaryKey: 'id', columns: { phone_number: encryptedString({ length: 20 }) } },
 * });
 */
export function defineModel<
  Schema = AnySchema,
  const Declaration extends ModelDeclaration<Schema> = ModelDeclaration<Schema>,
>(tables: Declaration): Model<Declaration> {
  const model = { tables };
  assertModel(model);
  return Object.freeze(model);
}
