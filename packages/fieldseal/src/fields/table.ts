/** A declared table as an application uses it: rows are encrypted and decrypted whole, with their indexes. */
import { Secret } from '../core/secret.js';
import { type ErrorCode, FieldsealError, isFieldsealError } from '../errors.js';
import type { Keyring } from '../keys/keyring.js';
import type { KeyringSnapshot } from '../keys/keyring-snapshot.js';
import { BlindIndex } from './blind-index.js';
import type { Codec } from './codec.js';
import { Field } from './field.js';
import { mask } from './mask.js';
import type { AnyDeclaration, ColumnDeclaration, IndexDeclaration, Model, TableDeclaration } from './model.js';
import type { ContextRow, Place, SubjectSource } from './place.js';
import { RowFailures } from './row-failures.js';
import { RowNames } from './row-names.js';
import type { Opened, Stored } from './scheme.js';
import { type Sealed, SealQueue } from './seal-queue.js';
import { ValueCache, type ValueCacheOptions } from './value-cache.js';

/** What a table can be given besides model and keyring. */
export interface TableOptions {
  /** The open keys of subjects, for columns of the scheme `xaes-subject`; see `openSubjectKeys`. */
  readonly subjects?: SubjectSource;
  /**
   * Keeps decrypted bytes in memory, bounded by entries and age; off when left out. It is emptied when the keyring changes
   * or a subject is erased, and an entry is found only in the place (column, and for bound values tenant and row) where
   * it was made.
   */
  readonly cache?: ValueCacheOptions;
}

/** How `decryptRow` hands values out: as they are, masked for display, or as `Secret`s of their codec's bytes. */
export type DecryptedAs = 'values' | 'masked' | 'secrets';

const BEYOND_LIMITS: readonly ErrorCode[] = ['ERR_VALUE_TOO_LONG', 'ERR_VALUE_OUT_OF_RANGE'];

type ColumnsOf<Declared> = Declared extends { readonly columns: infer Columns } ? Columns : never;
type IndexesOf<Declared> = Declared extends { readonly indexes: infer Indexes } ? Indexes : never;
type ValueOf<Column> = Column extends ColumnDeclaration<infer T> ? T : unknown;
type OrNull<Value, T> = null extends Value ? T | null : T;

/** A row as it is stored: tokens in the place of values, and the indexes of what it holds. */
export type EncryptedRow<Declared, Row> = {
  [Name in keyof Row]: Name extends keyof ColumnsOf<Declared> ? OrNull<Row[Name], Stored> : Row[Name];
} & { [Name in keyof IndexesOf<Declared>]?: string | null };

/** What becomes of the values of an erased subject: the row is refused, or they are null. */
export type ErasedAs = 'refused' | 'null';

/** A row as an application reads it. */
export type DecryptedRow<Declared, Row, As, Erased = 'refused'> = {
  [Name in keyof Row]: Name extends keyof ColumnsOf<Declared>
    ? OrNull<
        Erased extends 'null' ? null : Row[Name],
        As extends 'secrets' ? Secret : As extends 'masked' ? string : ValueOf<ColumnsOf<Declared>[Name]>
      >
    : Row[Name];
};

/** The fields of a declared table by their columns. */
export function tableFields(name: string, declared: TableDeclaration): Field<unknown>[] {
  return Object.entries(declared.columns).map(
    ([column, declaration]) => new Field(name, column, declaration as ColumnDeclaration<unknown>, declared),
  );
}

/** Every field of a model, in the order of its declaration. */
export function fieldsOf(model: Model): Field<unknown>[] {
  return Object.entries(model.tables).flatMap(([name, declared]) => tableFields(name, declared));
}

/** The blind indexes of a declared table. */
export function tableIndexes(
  name: string,
  declared: TableDeclaration,
  fields: readonly Field<unknown>[],
): BlindIndex[] {
  return Object.entries(declared.indexes ?? {}).map(
    ([column, declaration]) => new BlindIndex(name, column, declaration as IndexDeclaration, declared, fields),
  );
}

/**
 * One table of a model with an open keyring.
 *
 * @example
 * const users = new Table(model, 'users', keyring);
 * const stored = users.encryptRow({ id: 7, email: 'jane@example.com' }); // { id: 7, email: 'AQ…', email_index: '1f3' }
 * users.decryptRow(stored).email; // 'jane@example.com'
 */
export class Table<Declaration = AnyDeclaration, Name extends keyof Declaration & string = keyof Declaration & string> {
  readonly name: Name;
  readonly #keyring: Keyring | (() => Keyring);
  readonly #fields: readonly Field<unknown>[];
  readonly #indexes: readonly BlindIndex[];
  readonly #names: RowNames;
  readonly #subjects: SubjectSource | null;
  readonly #cache: ValueCache | null;

  /**
   * @param keyring an open keyring, or a function that returns it once it is open
   * @throws TypeError for a table that the model does not declare; RangeError for a cache without bounds
   */
  constructor(model: Model<Declaration>, name: Name, keyring: Keyring | (() => Keyring), options: TableOptions = {}) {
    const { tables } = model as Model;
    const declared = Object.hasOwn(tables, name) ? tables[name] : undefined;
    if (!declared) throw new TypeError(`the model declares no table ${name}`);
    this.name = name;
    this.#keyring = keyring;
    this.#fields = tableFields(name, declared);
    this.#indexes = tableIndexes(name, declared, this.#fields);
    const { primaryKey, tenant, subject } = declared;
    this.#names = new RowNames(
      name,
      [...this.#fields, ...this.#indexes].map(({ column }) => column),
      [primaryKey ?? [], tenant ?? [], subject ?? []].flat(),
    );
    this.#subjects = options.subjects ?? null;
    this.#cache = options.cache ? new ValueCache(options.cache) : null;
  }

  /**
   * Encrypts the declared columns that the row has, and computes the indexes made of them: write what this returns in one
   * statement, and ciphertext and indexes cannot drift apart. Null stays null, and its indexes become null; a column left
   * out stays left out; other columns pass through. A value bound to its row needs the primary key in `row`, and so do
   * tenant and subject where the table declares them.
   * @throws TypeError for a declared column under another spelling of its name; FieldsealError those of `Field.encrypt`;
   * `ERR_INDEX_INCOMPLETE` when an index over several columns is given only some of them. The message names table and column, never the value
   */
  encryptRow<const Row extends ContextRow>(row: Row): EncryptedRow<Declaration[Name], Row> {
    const ring = this.#open().writableSnapshot();
    const given = this.#names.copy(row);
    const stored = { ...given };
    for (const field of this.#fields) {
      const value = given[field.column];
      if (value === undefined || value === null) continue;
      stored[field.column] = field.named(() => field.encryptNow(ring, value, field.placeIn(given, this.#subjects)));
    }
    this.#index(ring, given, stored);
    return stored as EncryptedRow<Declaration[Name], Row>;
  }

  /**
   * Encrypts rows as `encryptRow`, for an insert of many: `fernet` columns at less than half of what so many single calls
   * cost. It blocks until all are done. @throws as `encryptRow`, with `indexes` of the rows that failed
   */
  encryptRows<const Row extends ContextRow>(rows: readonly Row[]): EncryptedRow<Declaration[Name], Row>[] {
    const ring = this.#open().writableSnapshot();
    const queue = new SealQueue(ring.primary);
    const failures = new RowFailures(rows.length);
    const waiting: { readonly stored: Record<string, unknown>; readonly column: string; readonly sealed: Sealed }[] =
      [];
    const all = rows.map((row, i) => {
      const given = this.#names.copy(row);
      const stored = { ...given };
      failures.attempt(i, () => {
        for (const field of this.#fields) {
          const { column } = field;
          const value = given[column];
          if (value === undefined || value === null) continue;
          const place = field.placeIn(given, this.#subjects);
          const sealed = field.named(() => field.encryptInto(queue, value, place));
          waiting.push({ stored, column, sealed });
        }
        this.#index(ring, given, stored);
      });
      return stored;
    });
    failures.throwIfAny();
    queue.run();
    for (const { stored, column, sealed } of waiting) stored[column] = sealed.stored;
    return all as EncryptedRow<Declaration[Name], Row>[];
  }

  /**
   * Decrypts the declared columns that the row has; other columns pass through, index columns too.
   * @param options `as`: values, masked texts or `Secret`s; `erased: 'null'` for lists, in which one erased subject's row must
   * not stop the others
   * @throws FieldsealError those of `Field.decrypt`
   */
  decryptRow<
    const Row extends ContextRow,
    const As extends DecryptedAs = 'values',
    const Erased extends ErasedAs = 'refused',
  >(
    row: Row,
    options: { readonly as?: As; readonly erased?: Erased } = {},
  ): DecryptedRow<Declaration[Name], Row, As, Erased> {
    const as = decryptedAs(options.as);
    const ring = this.#open().snapshot();
    const plain = this.#names.copy(row);
    for (const field of this.#fields) this.#decrypt(field, ring, plain, as, options.erased, null);
    return plain as DecryptedRow<Declaration[Name], Row, As, Erased>;
  }

  /**
   * Decrypts rows as `decryptRow`, for a page of results or a whole export: `fernet` columns at less than half of what so
   * many single calls cost (unless the table has a cache: then each value is looked for there). It blocks until all are
   * done. @throws as `decryptRow`, with `indexes` of the rows that failed
   */
  decryptRows<
    const Row extends ContextRow,
    const As extends DecryptedAs = 'values',
    const Erased extends ErasedAs = 'refused',
  >(
    rows: readonly Row[],
    options: { readonly as?: As; readonly erased?: Erased } = {},
  ): DecryptedRow<Declaration[Name], Row, As, Erased>[] {
    const as = decryptedAs(options.as);
    const ring = this.#open().snapshot();
    const failures = new RowFailures(rows.length);
    const all = rows.map((row) => this.#names.copy(row));
    for (const field of this.#fields) {
      const { column } = field;
      const stored = all.map((row) => (row[column] ?? null) as Stored | null);
      const texts = this.#cache || as !== 'values' ? null : field.openTexts(ring, stored);
      const opened = this.#cache || texts ? null : field.openMany(ring, stored);
      const decrypt = (row: Record<string, unknown>, i: number) =>
        failures.attempt(i, () => this.#decrypt(field, ring, row, as, options.erased, opened?.[i] ?? null));
      // Nothing is made for a value that is a text already: it would be as much garbage as the texts.
      for (let i = 0; i < all.length; i++) {
        const row = all[i] as Record<string, unknown>;
        const text = texts?.[i];
        if (typeof text === 'string') row[column] = text;
        else decrypt(row, i);
      }
    }
    failures.throwIfAny();
    return all as DecryptedRow<Declaration[Name], Row, As, Erased>[];
  }

  /**
   * What to look for in an index column: `WHERE email_index IN (…)`. While the index's key is being rotated these are
   * several values. Filter the rows that are found with `matches`: some are coincidences.
   * @param values a value for each column of the index, and the tenant where the table declares one
   * @throws FieldsealError `ERR_INDEX_NOT_FOUND`, `ERR_INDEX_INCOMPLETE` (a null value too: search with IS NULL instead),
   * `ERR_KEY_NOT_FOUND`, `ERR_CONTEXT_INCOMPLETE`, and those of the column's codec
   */
  lookup(index: keyof IndexesOf<Declaration[Name]> & string, values: ContextRow): string[] {
    const found = this.#indexNamed(index);
    const sought = this.#names.copy(values);
    const parts = found.parts(sought);
    if (parts === null) {
      throw new FieldsealError(
        'ERR_INDEX_INCOMPLETE',
        `${this.name}.${index}: NULL has no index value; search for it with IS NULL.`,
      );
    }
    const ring = this.#open().snapshot();
    return [...new Set(found.values(ring, parts, sought).map(({ value }) => value))];
  }

  /** Whether a decrypted row really has the values that were looked for, as the index compares them: normalised. */
  matches(index: keyof IndexesOf<Declaration[Name]> & string, values: ContextRow, row: ContextRow): boolean {
    const found = this.#indexNamed(index);
    const [sought, there] = [this.#names.copy(values), this.#names.copy(row)];
    const wanted = found.parts(sought);
    const actual = partsOf(found, there);
    if (wanted === null || actual === null || found.tenantIn(sought) !== found.tenantIn(there)) return false;
    return wanted.every((part, i) => part.equals(actual[i] as Buffer));
  }

  /** Empties the cache. */
  clearCache(): void {
    this.#cache?.clear();
  }

  /** Computes the index values of a row into `stored`. */
  #index(ring: KeyringSnapshot, given: ContextRow, stored: Record<string, unknown>): void {
    for (const index of this.#indexes) {
      if (index.fields.every(({ column }) => given[column] === undefined)) continue;
      stored[index.column] = index.values(ring, index.parts(given), given)[0]?.value ?? null;
    }
  }

  /**
   * Puts a row's value in the place of its token. What values are bound to stands in other columns, which stay.
   * @param opened the token, where that was opened already
   */
  #decrypt(
    field: Field<unknown>,
    ring: KeyringSnapshot,
    row: Record<string, unknown>,
    as: DecryptedAs,
    erased: ErasedAs | undefined,
    opened: Opened | null,
  ): void {
    const stored = row[field.column];
    if (stored === undefined || stored === null) return;
    const handOut = () => this.#handOut(field, ring, stored as Stored, field.placeIn(row, this.#subjects), as, opened);
    row[field.column] = field.named(erased === 'null' ? () => orNullIfErased(handOut) : handOut);
  }

  #open(): Keyring {
    return typeof this.#keyring === 'function' ? this.#keyring() : this.#keyring;
  }

  #indexNamed(name: string): BlindIndex {
    const found = this.#indexes.find(({ column }) => column === name);
    if (found) return found;
    throw new FieldsealError('ERR_INDEX_NOT_FOUND', `The model declares no blind index ${this.name}.${name}.`);
  }

  #handOut(
    field: Field<unknown>,
    ring: KeyringSnapshot,
    stored: Stored,
    place: Place,
    as: DecryptedAs,
    opened: Opened | null,
  ): unknown {
    const { codec, mask: own } = field.declaration;
    if (as === 'secrets') return Secret.from(reveal(opened ?? field.open(ring, stored, place), codec).bytes());
    const { value, bytes } = opened ? reveal(opened, codec) : this.#reveal(field, ring, stored, place);
    // By `mask` also a function of the application's own: its error may quote the value.
    return as === 'values' ? value : mask(own ?? 'all')(Buffer.from(bytes()).toString('utf8'));
  }

  /** Out of the cache where there is one. */
  #reveal(field: Field<unknown>, ring: KeyringSnapshot, stored: Stored, place: Place): Revealed {
    const { codec } = field.declaration;
    const key = this.#cache && cacheKey(field, place);
    if (!this.#cache || key === null) return reveal(field.open(ring, stored, place), codec);
    const generation = `${ring.id} ${ring.generation} ${this.#subjects?.generation ?? ''}`;
    const text = typeof stored === 'string' ? stored : Buffer.from(stored).toString('latin1');
    const known = this.#cache.get(generation, key, text);
    if (known) return { value: codec.decode(known), bytes: () => known };
    const opened = field.open(ring, stored, place);
    const revealed = reveal(opened, codec);
    // Plaintext is no secret worth keeping, and may be written in more than one way.
    if (opened.scheme !== 'plaintext') this.#cache.set(generation, key, text, opened.bytes);
    return revealed;
  }
}

/** @throws TypeError for anything else: a mistake must not show a value that was to be masked */
function decryptedAs(as: DecryptedAs = 'values'): DecryptedAs {
  if (as === 'values' || as === 'masked' || as === 'secrets') return as;
  throw new TypeError('as is values, masked or secrets');
}

function orNullIfErased(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    if (isFieldsealError(error) && error.code === 'ERR_SUBJECT_ERASED') return null;
    throw error;
  }
}

/** A row's parts; null also for a value from before its column's limits were narrowed: nobody can look for one any more. */
function partsOf(index: BlindIndex, row: ContextRow): readonly Buffer[] | null {
  try {
    return index.parts(row);
  } catch (error) {
    const isBeyond = isFieldsealError(error) && BEYOND_LIMITS.includes(error.code);
    if (isBeyond) return null;
    throw error;
  }
}

/** A value, and what its codec makes of it. */
interface Revealed {
  readonly value: unknown;
  readonly bytes: () => Uint8Array;
}

/** Encodes anew only plaintext as a database writes it: a value may be beyond the codec's limits of today. */
function reveal(opened: Opened, codec: Codec<unknown>): Revealed {
  const value = opened.decode(codec);
  const isEncoded = opened.scheme !== 'plaintext' || !codec.decodePlaintext;
  return { value, bytes: () => (isEncoded ? opened.bytes : Buffer.from(codec.encode(value))) };
}

/** A value's place as a text, so that nothing is found in another one; null when the row does not tell it. */
function cacheKey(field: Field<unknown>, place: Place): string | null {
  if (!field.needsRow) return `${field.table}.${field.column}`;
  try {
    const subject = field.needsSubject ? place.subject.subject : '';
    return `${field.table}.${field.column} ${place.associatedData('cache', 0, subject).toString('latin1')}`;
  } catch (error) {
    if (isFieldsealError(error)) return null;
    throw error;
  }
}
