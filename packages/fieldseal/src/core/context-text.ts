/** A primary key, a tenant or a subject as the text that a value is bound to (FORMAT.md §3). */
import { FieldsealError } from '../errors.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * The text of a whole number, or a text itself. `42`, `42n` and `'42'` give the same text, and so does a UUID in either
 * case: drivers return one column's value in all of these forms.
 *
 * @param what names the value in the message, which never repeats it
 * @throws FieldsealError `ERR_CONTEXT_TYPE` for anything else, for the empty text, and for one with a lone surrogate
 */
export function contextText(value: unknown, what = 'A primary key, tenant or subject'): string {
  if (typeof value === 'bigint') return value.toString();
  // String(-0) is '0'.
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'string' && value !== '' && value.isWellFormed()) {
    return UUID.test(value) ? value.toLowerCase() : value;
  }
  throw new FieldsealError('ERR_CONTEXT_TYPE', `${what} is a whole number or a text that is not empty.`);
}

/** A tenant or a subject goes into the `info` of HKDF, which node:crypto limits to 1024 bytes; two of them fit. */
const OWNER_BYTES = 400;

/**
 * The text of a tenant or a subject: as {@link contextText}, of at most 400 bytes of UTF-8.
 * @throws FieldsealError `ERR_CONTEXT_TYPE`
 */
export function ownerText(value: unknown, what = 'A tenant or subject'): string {
  const text = contextText(value, what);
  if (Buffer.byteLength(text) <= OWNER_BYTES) return text;
  throw new FieldsealError('ERR_CONTEXT_TYPE', `${what} has at most ${OWNER_BYTES} bytes.`);
}
