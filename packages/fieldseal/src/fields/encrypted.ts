/** The declaration of an encrypted column of any type. */
import type { Codec } from './codec.js';
import type { Mask } from './mask.js';
import type { ColumnDeclaration } from './model.js';
import type { SchemeName, Storage, WritingScheme } from './scheme.js';

/** What `encrypted` takes besides the codec. */
export interface EncryptedOptions {
  /** The scheme that writes; `fernet` when left out. `xaes` binds a value to its place, `xaes-subject` also to a subject's key. */
  readonly scheme?: WritingScheme;
  /** Further schemes that reading accepts, for the time of a migration: `['plaintext']`, `['fernet']`. */
  readonly alsoReads?: readonly SchemeName[];
  /**
   * What an `xaes` value is bound to besides its table, column and tenant: `row` adds the primary key, so that it does
   * not open in another row. Such a column is encrypted with `encryptRow`. `column` when left out.
   */
  readonly boundTo?: 'column' | 'row';
  /** `text` when left out; `bytes` for a `bytea` or `blob` column, a quarter smaller. */
  readonly storage?: Storage;
  /** `table.column` as first declared. Set it when either is renamed: tokens and indexes are bound to it for life. */
  readonly contextId?: string;
  /** How `decryptRow(row, { as: 'masked' })` shows the value. */
  readonly mask?: Mask;
  /** For a blind index: at least how many different values the column holds. */
  readonly distinct?: number;
  /** For a blind index: the share of rows, above 0 and at most 1, that hold the most frequent value. */
  readonly commonest?: number;
}

/**
 * Declares an encrypted column. `codecs` holds the codecs.
 *
 * @example
 * const born = encrypted(codecs.date(), { scheme: 'xaes', boundTo: 'row' });
 */
export function encrypted<T>(codec: Codec<T>, options: EncryptedOptions = {}): ColumnDeclaration<T> {
  return {
    codec,
    scheme: options.scheme ?? 'fernet',
    alsoReads: options.alsoReads ?? [],
    boundTo: options.boundTo ?? 'column',
    storage: options.storage ?? 'text',
    ...(options.contextId !== undefined && { contextId: options.contextId }),
    ...(options.mask !== undefined && { mask: options.mask }),
    ...(options.distinct !== undefined && { distinct: options.distinct }),
    ...(options.commonest !== undefined && { commonest: options.commonest }),
  };
}
