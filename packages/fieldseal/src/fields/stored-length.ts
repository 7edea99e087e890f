/** How large a database column has to be. */
import { indexLength } from './blind-index.js';
import { Field } from './field.js';
import type { ColumnDeclaration, IndexDeclaration } from './model.js';

/**
 * The most characters (storage `text`) or bytes that a column of that declaration takes, in whichever scheme it reads or
 * writes; for a blind index, its characters. Null: the codec has no limit, so that the column cannot have one.
 *
 * @example
 * storedLength(encryptedString({ length: 20 })); // 204: `phone varchar(204)`
 */
export function storedLength<T>(declared: ColumnDeclaration<T> | IndexDeclaration): number | null {
  if ('bits' in declared) return indexLength(declared.bits);
  const { maxBytes } = declared.codec;
  return maxBytes === undefined ? null : new Field('', '', declared).storedLength(maxBytes);
}
