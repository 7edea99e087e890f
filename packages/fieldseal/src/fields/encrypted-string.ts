/** The declaration of a text column. */
import { type EncryptedOptions, encrypted } from './encrypted.js';
import type { ColumnDeclaration } from './model.js';
import { stringCodec } from './string-codec.js';

/** What `encryptedString` takes. */
export interface EncryptedStringOptions extends EncryptedOptions {
  /** The most code points a value may have. It limits the value; the stored token is longer. No limit when left out. */
  readonly length?: number;
}

/**
 * Declares an encrypted text column; short for `encrypted(codecs.string({ length }), options)`. As a Fernet token a value
 * takes `4·⌈(73 + 16·⌊UTF-8 bytes/16⌋)/3⌉` characters.
 * @throws RangeError when `length` is not a positive whole number
 *
 * @example
 * const model = defineModel({ users: { primaryKey: 'id', columns: { phone_number: encryptedString({ length: 20 }) } } });
 */
export function encryptedString(options: EncryptedStringOptions = {}): ColumnDeclaration<string> {
  const length = options.length ?? null;
  if (length !== null && !(Number.isSafeInteger(length) && length > 0)) {
    throw new RangeError('the length of an encrypted string is a positive whole number of characters');
  }
  return encrypted(stringCodec(length), options);
}
