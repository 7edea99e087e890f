/** Drizzle: an encrypted column as a custom type, for SQLite, PostgreSQL and MySQL alike. */
import { Field, type Keyring } from '../fields/field.js';
import type { AnyDeclaration, ColumnDeclaration, Model, TableDeclaration } from '../fields/model.js';

/** The type argument of Drizzle's `customType` for an encrypted text column. */
export interface EncryptedText {
  data: string;
  driverData: string;
}

/** The part of Drizzle's `CustomTypeParams<EncryptedText>` that is used here. */
export interface CustomTypeParamsLike {
  dataType: () => string;
  toDriver: (value: string) => string;
  fromDriver: (value: string) => string;
}

/** What `encryptedColumns` needs. */
export interface DrizzleOptions<Builder, Declaration> {
  readonly model: Model<Declaration>;
  /** An open keyring, or a function that returns it once it is open. */
  readonly keyring: Keyring | (() => Keyring);
  /** `customType<EncryptedText>` of `drizzle-orm/sqlite-core`, `pg-core` or `mysql-core`. */
  readonly customType: (params: CustomTypeParamsLike) => Builder;
}

type StringColumn<Columns, Name extends keyof Columns> =
  NonNullable<Columns[Name]> extends ColumnDeclaration<infer Value> ? ([Value] extends [string] ? Name : never) : Name;

/** The columns whose values are text: the custom type of an encrypted column has no other data. */
type ColumnsOf<Table> = Table extends { readonly columns: infer Columns }
  ? { [Name in keyof Columns]: StringColumn<Columns, Name> }[keyof Columns] & string
  : string;

/** A column hook sees one value and nothing of its row. @throws TypeError for a column that needs more */
function assertPerValue({ table, column, needsRow, storage }: Field<string>, { indexes }: TableDeclaration): void {
  const reasons = [
    needsRow && 'is bound to its row',
    storage !== 'text' && 'is stored as bytes',
    Object.values(indexes ?? {}).some((index) => index?.on.includes(column)) && 'has a blind index',
  ].filter((reason) => reason !== false);
  if (reasons.length === 0) return;
  throw new TypeError(
    `${table}.${column} ${reasons.join(' and ')}, which a Drizzle column cannot see; declare a plain column and use encryptRow and decryptRow of Table`,
  );
}

/**
 * Returns a function that makes the Drizzle column of a declared one. Values are encrypted when written and decrypted
 * when read; null is never touched. A comparison in a `where` cannot find them: every encryption of a value differs.
 *
 * @example
 * const encrypted = encryptedColumns({ model, keyring, customType: customType<EncryptedText> });
 * const users = sqliteTable('users', {
 *   id: integer('id').primaryKey(),
 *   phoneNumber: encrypted('users', 'phone_number'),
 * });
 */
export function encryptedColumns<Result, Declaration = AnyDeclaration>(
  options: DrizzleOptions<(name: string) => Result, Declaration>,
): <Table extends keyof Declaration & string>(
  table: Table,
  column: ColumnsOf<NonNullable<Declaration[Table]>>,
) => Result {
  const { customType } = options;
  const keyring = () => (typeof options.keyring === 'function' ? options.keyring() : options.keyring);
  return (table, column) => {
    const declaredTable = (options.model as Model).tables[table];
    const declared = declaredTable?.columns[column];
    if (!declaredTable || !declared) throw new TypeError(`the model declares no column ${table}.${column}`);
    const field = new Field(table, column, declared as ColumnDeclaration<string>, declaredTable);
    assertPerValue(field, declaredTable);
    return customType({
      dataType: () => 'text',
      toDriver: (value) => field.encrypt(keyring(), value) as string,
      fromDriver: (stored) => field.decrypt(keyring(), stored),
    })(column);
  };
}
