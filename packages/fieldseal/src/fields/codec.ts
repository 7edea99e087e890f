/** A codec: one kind of value to bytes and back, losslessly. */

/** Turns values into what is encrypted, and back. Errors name the kind of mistake, never the value. */
export interface Codec<T> {
  readonly name: string;
  /** Whether the bytes are UTF-8 text. Where they are not, plaintext in a text column stands as `\\x` and hex. */
  readonly isText: boolean;
  /**
   * The value as text (taken as UTF-8) or bytes; one value has one encoding.
   * @throws FieldsealError `ERR_VALUE_TYPE`, `ERR_VALUE_TOO_LONG`, `ERR_VALUE_NOT_TEXT`, `ERR_VALUE_OUT_OF_RANGE`
   */
  readonly encode: (value: T) => string | Uint8Array;
  /**
   * The value that `encode` made the bytes from, which lie beside those of other values: nothing of their memory is kept.
   * @throws FieldsealError as `encode`, for bytes that it does not make
   */
  readonly decode: (bytes: Uint8Array) => T;
  /**
   * The value of a plaintext that stood in the column before it was encrypted, as its database writes it as text (`t`,
   * `2026-11-24 09:00:00+00`); absent: as `decode`. Only reading plaintext during a migration asks it.
   */
  readonly decodePlaintext?: (text: string) => T;
  /** The most bytes that `encode` makes; absent: no limit. */
  readonly maxBytes?: number;
  /** How many different values there are; absent: no limit. */
  readonly domain?: number;
}
