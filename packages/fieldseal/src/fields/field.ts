/** A field: one declared column, as applications and sweeps use it. */
import { FieldsealError, isFieldsealError } from '../errors.js';
import type { Keyring } from '../keys/keyring.js';
import type { KeyringSnapshot } from '../keys/keyring-snapshot.js';
import type { ColumnDeclaration, Model } from './model.js';
import { type Opened, openWith, SCHEMES, type SchemeName, UNREADABLE } from './scheme.js';

export type { Keyring };

/** What a stored value is, whatever the column's declaration allows. */
export type Examined = Opened | { readonly scheme: 'unreadable' };

/** One encrypted column. */
export class Field<T> {
  readonly table: string;
  readonly column: string;
  readonly #declaration: ColumnDeclaration<T>;

  constructor(table: string, column: string, declaration: ColumnDeclaration<T>) {
    this.table = table;
    this.column = column;
    this.#declaration = declaration;
  }

  /**
   * Encrypts a value for storing; null stays null.
   * @throws FieldsealError `ERR_VALUE_TYPE`, `ERR_VALUE_TOO_LONG`, `ERR_VALUE_NOT_TEXT`, `ERR_KEYRING_STALE`; the
   * message names table and column, never the value
   */
  encrypt(keyring: Keyring, value: T): string;
  encrypt(keyring: Keyring, value: T | null): string | null;
  encrypt(keyring: Keyring, value: T | null): string | null {
    if (value === null) return null;
    return this.#named(() => this.encryptNow(keyring.writableSnapshot(), value));
  }

  /**
   * Decrypts a stored value; null stays null.
   * @throws FieldsealError `ERR_DECRYPT_FAILED` when no key opens it, or when it is in a scheme that the column's
   * declaration does not read
   */
  decrypt(keyring: Keyring, stored: string): T;
  decrypt(keyring: Keyring, stored: string | null): T | null;
  decrypt(keyring: Keyring, stored: string | null): T | null {
    if (stored === null) return null;
    return this.#named(() => {
      if (typeof stored !== 'string') throw new FieldsealError('ERR_VALUE_TYPE', 'The stored value is not text.');
      const { scheme, alsoReads, codec } = this.#declaration;
      const opened = openWith([scheme, ...alsoReads], keyring.snapshot(), stored);
      if (opened === null || opened === UNREADABLE) {
        throw new FieldsealError(
          'ERR_DECRYPT_FAILED',
          'The stored value cannot be decrypted: it was written under another key, altered or is not a token.',
        );
      }
      return codec.decode(opened.bytes);
    });
  }

  /** What a stored value is: a token under some key, plaintext, or unreadable. For sweeps. */
  examine(ring: KeyringSnapshot, stored: string): Examined {
    const opened = openWith(['fernet', 'plaintext'], ring, stored);
    return opened === null || opened === UNREADABLE ? { scheme: 'unreadable' } : opened;
  }

  /** Whether the column's declaration lets an application read values of that scheme. */
  reads(scheme: SchemeName): boolean {
    return this.#declaration.scheme === scheme || this.#declaration.alsoReads.includes(scheme);
  }

  /** Encrypts under the primary of exactly this snapshot. For sweeps. @throws as `encrypt` */
  encryptNow(ring: KeyringSnapshot, value: T): string {
    const { codec, scheme } = this.#declaration;
    return SCHEMES[scheme].seal(ring, codec.encode(value));
  }

  /** The most bytes a value of the declared length has; null when none is declared. For sweeps. */
  get maxBytes(): number | null {
    return this.#declaration.codec.maxBytes ?? null;
  }

  /** How many characters a value of so many bytes takes when it is stored. For sweeps. */
  storedLength(bytes: number): number {
    return SCHEMES[this.#declaration.scheme].sealedLength(bytes);
  }

  /** The value that decrypted bytes stand for. For sweeps. @throws FieldsealError `ERR_VALUE_NOT_TEXT` */
  decode(bytes: Uint8Array): T {
    return this.#declaration.codec.decode(bytes);
  }

  #named<R>(work: () => R): R {
    try {
      return work();
    } catch (error) {
      if (!isFieldsealError(error)) throw error;
      throw new FieldsealError(error.code, `${this.table}.${this.column}: ${error.message}`);
    }
  }
}

/** Every field of a model, in the order of its declaration. */
export function fieldsOf(model: Model): Field<unknown>[] {
  return Object.entries(model.tables).flatMap(([table, { columns }]) =>
    Object.entries(columns).map(
      ([column, declaration]) => new Field(table, column, declaration as ColumnDeclaration<unknown>),
    ),
  );
}
