/** A codec: one kind of value to bytes and back, losslessly. */

/** Turns values into what is encrypted, and back. Errors name the kind of mistake, never the value. */
export interface Codec<T> {
  readonly name: string;
  /**
   * The value as text (taken as UTF-8) or bytes.
   * @throws FieldsealError `ERR_VALUE_TYPE`, `ERR_VALUE_TOO_LONG`, `ERR_VALUE_NOT_TEXT`
   */
  encode(value: T): string | Uint8Array;
  /** The value that `encode` made the bytes from. @throws FieldsealError `ERR_VALUE_NOT_TEXT` */
  decode(bytes: Uint8Array): T;
  /** The most bytes that `encode` makes; absent: no limit. */
  readonly maxBytes?: number;
}
