/** A field: one declared column, as applications and sweeps use it. */
import { ownerText } from '../core/context-text.js';
import { decryptMany, findTextKeys } from '../core/fernet-batch.js';
import { decodeUtf8 } from '../core/utf8.js';
import { FieldsealError, isFieldsealError } from '../errors.js';
import type { Keyring } from '../keys/keyring.js';
import type { KeyringSnapshot } from '../keys/keyring-snapshot.js';
import type { ReadableKey } from '../keys/readable-key.js';
import { likelyToken, openText, renewTokens } from './fernet-scheme.js';
import type { ColumnDeclaration, TableDeclaration } from './model.js';
import { type ContextDeclaration, type ContextRow, Place, type SubjectSource } from './place.js';
import { type Opened, type SchemeName, type Storage, type Stored, UNREADABLE, type WritingScheme } from './scheme.js';
import { openWith, SCHEME_NAMES, SCHEMES, shapeOf } from './schemes.js';
import type { Sealed, SealQueue } from './seal-queue.js';
import { readXaesHeader } from './xaes-scheme.js';

export type { Keyring };

/** What a stored value is, whatever the column's declaration allows. */
export type Examined = Opened | { readonly scheme: 'unreadable' };

/** What a field takes from the declaration of its table. */
export type TableContext = Pick<TableDeclaration, 'primaryKey' | 'tenant' | 'subject'>;

/** One encrypted column. */
export class Field<T> {
  readonly table: string;
  readonly column: string;
  // Of unknown values, so that a field of some type is one of the fields of a table.
  readonly #declaration: ColumnDeclaration<unknown>;
  readonly #context: ContextDeclaration;
  /** Where every value stands whose row says nothing about it. */
  readonly #place: Place;
  /** Whether a value may be a Fernet token whose bytes are the text as it is. */
  readonly #isFernetText: boolean;
  /** What reading asks: the scheme that writes first, and last plaintext, which takes anything. */
  readonly #asked: readonly SchemeName[];

  /** @param table what the table's declaration says; without it the field has no tenant, no subject and no row to be bound to */
  constructor(table: string, column: string, declaration: ColumnDeclaration<T>, context?: TableContext) {
    this.table = table;
    this.column = column;
    this.#declaration = declaration as ColumnDeclaration<unknown>;
    this.#context = {
      contextId: declaration.contextId ?? `${table}.${column}`,
      tenant: context?.tenant ?? null,
      subject: context?.subject ?? null,
      rowKey: declaration.boundTo === 'row' ? [context?.primaryKey ?? []].flat() : null,
    };
    this.#place = new Place(this.#context);
    this.#isFernetText = declaration.codec.decode === (decodeUtf8 as unknown) && this.reads('fernet');
    const tokens = [declaration.scheme, ...declaration.alsoReads].filter((name) => name !== 'plaintext');
    this.#asked = this.reads('plaintext') ? [...tokens, 'plaintext'] : tokens;
  }

  /** The scheme that writes. */
  get scheme(): WritingScheme {
    return this.#declaration.scheme;
  }

  /** What the declaration says of the column. */
  get declaration(): ColumnDeclaration<unknown> {
    return this.#declaration;
  }

  /** How the column keeps its tokens. */
  get storage(): Storage {
    return this.#declaration.storage;
  }

  /** Whether a value can only be encrypted or decrypted together with its row: `encryptRow`, `decryptRow`. */
  get needsRow(): boolean {
    const { tenant, rowKey } = this.#context;
    const reads = (name: SchemeName) => this.reads(name);
    const isBound = reads('xaes') || reads('xaes-subject');
    return reads('xaes-subject') || (isBound && (tenant !== null || rowKey !== null));
  }

  /** Whether the column is bound to the key of a subject. */
  get needsSubject(): boolean {
    return this.reads('xaes-subject');
  }

  /** The subject of that row, and its tenant; null where the row has none. For sweeps. */
  subjectIn(row: ContextRow): { readonly tenant: string; readonly subject: string } | null {
    const { tenant, subject } = this.#context;
    const [owner, person] = [tenant === null ? '' : row[tenant], subject === null ? null : row[subject]];
    if (owner === null || owner === undefined || person === null || person === undefined) return null;
    return { tenant: tenant === null ? '' : ownerText(owner), subject: ownerText(person) };
  }

  /** Where a value of that row stands. Nothing of the row is looked at before a scheme asks for it. */
  placeIn(row: ContextRow | null, subjects: SubjectSource | null = null): Place {
    return row === null ? this.#place : new Place(this.#context, row, subjects);
  }

  /**
   * Encrypts a value for storing; null stays null.
   * @param place where it will stand; needed by a field that `needsRow`
   * @throws FieldsealError `ERR_VALUE_TYPE`, `ERR_VALUE_TOO_LONG`, `ERR_VALUE_NOT_TEXT`, `ERR_VALUE_OUT_OF_RANGE`,
   * `ERR_KEYRING_STALE`, `ERR_CONTEXT_INCOMPLETE`, `ERR_CONTEXT_TYPE`, `ERR_SUBJECT_KEY_NOT_LOADED`, `ERR_SUBJECT_ERASED`;
   * the message names table and column, never the value
   */
  encrypt(keyring: Keyring, value: T, place?: Place): Stored;
  encrypt(keyring: Keyring, value: T | null, place?: Place): Stored | null;
  encrypt(keyring: Keyring, value: T | null, place = this.#place): Stored | null {
    if (value === null) return null;
    return this.named(() => this.encryptNow(keyring.writableSnapshot(), value, place));
  }

  /**
   * Decrypts a stored value; null stays null.
   * @param place where it stands; needed by a field that `needsRow`
   * @throws FieldsealError `ERR_DECRYPT_FAILED` when no key opens it in this place, or when it is in a scheme that the
   * column's declaration does not read; those of the place as `encrypt`
   */
  decrypt(keyring: Keyring, stored: Stored, place?: Place): T;
  decrypt(keyring: Keyring, stored: Stored | null, place?: Place): T | null;
  decrypt(keyring: Keyring, stored: Stored | null, place = this.#place): T | null {
    if (stored === null) return null;
    const ring = keyring.snapshot();
    const text = this.openText(ring, stored);
    if (text !== null) return text as T;
    return this.named(() => this.open(ring, stored, place).decode(this.#declaration.codec)) as T;
  }

  /**
   * A stored value straight as text, the commonest case at two thirds of what `open` costs; null for whatever needs more:
   * `open` is to be asked then.
   */
  openText(ring: KeyringSnapshot, stored: Stored): string | null {
    return this.#isFernetText ? openText(ring.readableFernet, stored) : null;
  }

  /** Opens a stored value in a scheme that the column reads. @throws as `decrypt`, without the column's name */
  open(ring: KeyringSnapshot, stored: Stored, place: Place): Opened {
    if (typeof stored !== 'string' && !(stored instanceof Uint8Array)) {
      throw new FieldsealError('ERR_VALUE_TYPE', 'The stored value is neither text nor bytes.');
    }
    const opened = openWith(this.#asked, place, ring, stored);
    const isOpen = opened !== null && opened !== UNREADABLE;
    if (isOpen && (opened.scheme !== 'plaintext' || !this.#isUndeclaredToken(ring, stored))) return opened;
    throw new FieldsealError(
      'ERR_DECRYPT_FAILED',
      'The stored value cannot be decrypted: it was written under another key or for another place, altered or is not a token.',
    );
  }

  /** What a stored value is: a token under some key, plaintext, or unreadable. For sweeps. @throws FieldsealError of the place */
  examine(ring: KeyringSnapshot, stored: Stored, place = this.#place): Examined {
    for (const name of SCHEME_NAMES) {
      const opened = SCHEMES[name].open(place, ring, stored, this.reads(name));
      if (opened === UNREADABLE) break;
      if (opened !== null) return opened;
    }
    return { scheme: 'unreadable' };
  }

  /**
   * What can be opened of many values in one go: null for one that `open` or `examine` has to be asked for, which costs
   * more. All that it opens, they would open as well.
   */
  openMany(ring: KeyringSnapshot, stored: readonly (Stored | null)[]): (Opened | null)[] {
    for (const name of this.#asked) {
      const opened = SCHEMES[name].openMany?.(ring, stored);
      if (opened) return opened;
    }
    return stored.map(() => null);
  }

  /**
   * The Fernet tokens among many values, under the primary of exactly this snapshot: one that is under it already is the very
   * value that was given, one under an older key is made anew with its time kept, in the storage that it has. Only what is
   * authentic and opens; its plaintext is erased, and never a string. Null for any other value, of which `examine` says
   * what it is. For sweeps.
   */
  renewMany(ring: KeyringSnapshot, stored: readonly (Stored | null)[]): (Stored | null)[] {
    return renewTokens(ring, stored);
  }

  /**
   * The versions of the keys that the Fernet tokens among many values are under, of those that the column's codec can read;
   * null for any other value, of which `examine` says what it is, and null altogether for a column that is not decrypted
   * to text as it is. For sweeps.
   */
  findVersions(ring: KeyringSnapshot, stored: readonly (Stored | null)[]): (string | null)[] | null {
    if (!this.#isFernetText) return null;
    const { values } = findTextKeys(ring.readableFernet, stored.map(likelyToken));
    return values.map((keyIndex) => (keyIndex === null ? null : (ring.readable[keyIndex] as ReadableKey).version));
  }

  /** As `openMany`, straight to text; null for a column that is not decrypted to text as it is. */
  openTexts(ring: KeyringSnapshot, stored: readonly (Stored | null)[]): (string | null)[] | null {
    if (!this.#isFernetText) return null;
    return decryptMany(ring.readableFernet, stored.map(likelyToken)).values;
  }

  /** Whether what passes for plaintext is a token of a scheme that the column does not read, as `examine` tells. */
  #isUndeclaredToken(ring: KeyringSnapshot, stored: Stored): boolean {
    const shape = shapeOf(stored);
    if (shape === 'plaintext' || this.reads(shape)) return false;
    const header = readXaesHeader(stored);
    return header === null || ring.knowsId(header.keyId);
  }

  /** Whether the column's declaration lets an application read values of that scheme. */
  reads(scheme: SchemeName): boolean {
    return this.#declaration.scheme === scheme || this.#declaration.alsoReads.includes(scheme);
  }

  /** Encrypts under the primary of exactly this snapshot. For sweeps. @throws as `encrypt` */
  encryptNow(ring: KeyringSnapshot, value: T, place = this.#place): Stored {
    const { codec, scheme, storage } = this.#declaration;
    return SCHEMES[scheme].seal(place, ring.primary, codec.encode(value), storage);
  }

  /** As `encryptNow`, together with what else is in the queue, under its key. @throws as `encrypt` */
  encryptInto(queue: SealQueue, value: T, place = this.#place): Sealed {
    const { codec, scheme, storage } = this.#declaration;
    return SCHEMES[scheme].sealInto(queue, place, codec.encode(value), storage);
  }

  /** A value as plaintext of the column; bytes stand in a text column as PostgreSQL writes them, `\\x` and hex. For sweeps. */
  plaintextOf(value: T): Stored {
    const { codec, storage } = this.#declaration;
    const data = codec.encode(value);
    if (storage === 'bytes') return Buffer.from(data);
    if (typeof data === 'string') return data;
    return codec.isText ? decodeUtf8(data) : `\\x${Buffer.from(data).toString('hex')}`;
  }

  /** The most bytes a value of the declared length has; null when none is declared. For sweeps. */
  get maxBytes(): number | null {
    return this.#declaration.codec.maxBytes ?? null;
  }

  /** How many characters (or bytes) a value of so many bytes takes at most when it is stored, in any scheme but plaintext. */
  storedLength(bytes: number): number {
    const { scheme, alsoReads, storage } = this.#declaration;
    const names = [scheme, ...alsoReads].filter((name) => name !== 'plaintext');
    return Math.max(...names.map((name) => SCHEMES[name].sealedLength(bytes, storage)));
  }

  /** Runs `work`, and puts table and column in front of what it throws. */
  named<R>(work: () => R): R {
    try {
      return work();
    } catch (error) {
      if (!isFieldsealError(error)) throw error;
      throw new FieldsealError(error.code, `${this.table}.${this.column}: ${error.message}`);
    }
  }
}
