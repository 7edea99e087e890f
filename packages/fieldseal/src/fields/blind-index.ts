/**
 * A blind index: a keyed, truncated hash stored beside a token, so that equality can be searched (FORMAT.md §5).
 *
 *     key   = HKDF-SHA256(blind-index key 32, salt "fieldseal/blind-index/v1", info LP(label, tenant, table, column), 32)
 *     value = hex of the first `bits` bits of HMAC-SHA256(key, LP(label, part, part, …)), the last byte's rest zero
 *     label = "fieldseal/blind-index/1"; table, column = those of the index's contextId
 */
import { ownerText } from '../core/context-text.js';
import { deriveKey } from '../core/derive-key.js';
import { HmacSha256 } from '../core/hmac-sha256.js';
import { lengthPrefixed } from '../core/length-prefix.js';
import { decodeUtf8 } from '../core/utf8.js';
import { FieldsealError } from '../errors.js';
import type { Key, KeyringSnapshot } from '../keys/keyring-snapshot.js';
import type { Field } from './field.js';
import type { IndexDeclaration, TableDeclaration } from './model.js';
import { normalise } from './normaliser.js';
import { type ContextRow, splitContextId } from './place.js';

const LABEL = 'fieldseal/blind-index/1';
const SALT = 'fieldseal/blind-index/v1';
/** Tenants whose keys are kept ready, of each index and key version. */
const MAX_TENANTS = 1000;

/** A value of an index under one version of its key. */
export interface IndexValue {
  readonly version: string;
  readonly value: string;
}

/** How many characters the values of an index of so many bits have. */
export function indexLength(bits: number): number {
  return 2 * Math.ceil(bits / 8);
}

/** One blind index of a table. */
export class BlindIndex {
  readonly table: string;
  /** The column that holds its values. */
  readonly column: string;
  readonly bits: number;
  /** The fields that it is made of, in order. */
  readonly fields: readonly Field<unknown>[];
  readonly #declaration: IndexDeclaration;
  readonly #contextId: string;
  readonly #tenant: string | null;
  // The derived keys, by the ring's key and then by tenant: deriving one costs more than using it.
  readonly #hmacs = new WeakMap<Key, Map<string, HmacSha256>>();

  /** @param fields the table's fields */
  constructor(
    table: string,
    column: string,
    declaration: IndexDeclaration,
    context: Pick<TableDeclaration, 'tenant'>,
    fields: readonly Field<unknown>[],
  ) {
    this.table = table;
    this.column = column;
    this.bits = declaration.bits;
    this.fields = declaration.on.map((name) => fields.find((field) => field.column === name) as Field<unknown>);
    this.#declaration = declaration;
    this.#contextId = declaration.contextId ?? `${table}.${column}`;
    this.#tenant = context.tenant ?? null;
  }

  /** How its values are made, for telling two declarations apart: bits, columns, normalisers (functions by their source). */
  get recipe(): readonly unknown[] {
    const { bits, on, normalise: steps, contextId } = this.#declaration;
    return [bits, on, on.map((column) => (steps[column] ?? []).map(String)), contextId ?? null];
  }

  /** How many characters its values have. */
  get storedLength(): number {
    return indexLength(this.bits);
  }

  /**
   * The normalised parts of a row's values; null when one of them is null, for then the index is NULL.
   * @param values a value for each of the index's columns
   * @throws FieldsealError of the codec, for a value that its column would not take; `ERR_INDEX_INCOMPLETE` for one left out
   */
  parts(values: ContextRow): readonly Buffer[] | null {
    const columns = this.fields.map(({ column }) => column);
    if (columns.some((column) => values[column] === null)) return null;
    const absent = columns.filter((column) => values[column] === undefined);
    if (absent.length > 0) {
      throw new FieldsealError(
        'ERR_INDEX_INCOMPLETE',
        `${this.table}.${this.column}: the index is made of ${columns.join(', ')}; ${absent.join(', ')} is left out.`,
      );
    }
    return this.fields.map((field) =>
      field.named(() => {
        const encoded = field.declaration.codec.encode(values[field.column]);
        const steps = this.#declaration.normalise[field.column] ?? [];
        if (steps.length === 0) return Buffer.from(encoded);
        // The model lets only text have normalisers; a codec may encode it as text or as its bytes.
        return Buffer.from(normalise(steps, typeof encoded === 'string' ? encoded : decodeUtf8(encoded)));
      }),
    );
  }

  /**
   * The index's value under every key in use, the one that writes first. Null parts make no values.
   * @param row where the tenant is found, for a table that declares one
   * @throws FieldsealError `ERR_KEY_NOT_FOUND` for a ring without a blind-index key, `ERR_CONTEXT_INCOMPLETE` for a row without its tenant
   */
  values(ring: KeyringSnapshot, parts: readonly Buffer[] | null, row: ContextRow): readonly IndexValue[] {
    if (parts === null) return [];
    const keys = ring.purposeKeys('blind-index');
    if (keys.length === 0) {
      throw new FieldsealError(
        'ERR_KEY_NOT_FOUND',
        `${this.table}.${this.column}: the keyring has no key for blind indexes; \`fieldseal index\` makes one (a keyring out of ` +
          'environment variables cannot have one).',
      );
    }
    const tenant = this.tenantIn(row);
    return keys.map((key) => ({ version: key.version, value: this.#hash(key, tenant, parts) }));
  }

  /** The tenant of a row; empty where the table declares none. @throws FieldsealError `ERR_CONTEXT_INCOMPLETE`, `ERR_CONTEXT_TYPE` */
  tenantIn(row: ContextRow): string {
    if (this.#tenant === null) return '';
    const value = row[this.#tenant];
    if (value !== undefined && value !== null) return ownerText(value, `${this.table}.${this.column}: A tenant`);
    throw new FieldsealError(
      'ERR_CONTEXT_INCOMPLETE',
      `${this.table}.${this.column}: the index is bound to the row's tenant, and the row has no ${this.#tenant}; give the row with it.`,
    );
  }

  #hash(key: Key, tenant: string, parts: readonly Buffer[]): string {
    const message = lengthPrefixed(LABEL, ...parts);
    const mac = this.#hmac(key, tenant).of(message);
    message.fill(0);
    const value = mac.subarray(0, Math.ceil(this.bits / 8));
    const spare = (8 - (this.bits % 8)) % 8;
    const last = value.length - 1;
    value[last] = (value[last] as number) & (0xff << spare);
    const hex = value.toString('hex');
    // The bits that are cut off would tell more of the value than the index is to.
    mac.fill(0);
    return hex;
  }

  #hmac(key: Key, tenant: string): HmacSha256 {
    let ofTenants = this.#hmacs.get(key);
    if (!ofTenants) {
      ofTenants = new Map();
      this.#hmacs.set(key, ofTenants);
    }
    const known = ofTenants.get(tenant);
    if (known) return known;
    const { table, column } = splitContextId(this.#contextId);
    const info = lengthPrefixed(LABEL, tenant, table, column);
    const bytes = deriveKey((key.secret as NonNullable<Key['secret']>).reveal(), SALT, info, 32);
    const hmac = new HmacSha256(bytes);
    bytes.fill(0);
    if (ofTenants.size >= MAX_TENANTS) ofTenants.clear();
    ofTenants.set(tenant, hmac);
    return hmac;
  }
}
