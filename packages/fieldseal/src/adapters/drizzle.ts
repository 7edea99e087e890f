/** Drizzle: an encrypted column as a custom type, for SQLite, PostgreSQL and MySQL alike. */
import { Field, type Keyring } from '../fields/field.js';
import type { AnyDeclaration, ColumnDeclaration, Model } from '../fields/model.js';

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

type ColumnsOf<Table> = Table extends { readonly columns: infer Columns } ? keyof Columns & string : string;

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
    const declared = (options.model as Model).tables[table]?.columns[column];
    if (!declared) throw new TypeError(`the model declares no column ${table}.${column}`);
    const field = new Field(table, column, declared as ColumnDeclaration<string>);
    return customType({
      dataType: () => 'text',
      toDriver: (value) => field.encrypt(keyring(), value),
      fromDriver: (stored) => field.decrypt(keyring(), stored),
    })(column);
  };
}
