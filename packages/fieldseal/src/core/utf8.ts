/** Text to and from UTF-8, refusing what would not come back the same. */
import { isUtf8 } from 'node:buffer';
import { FieldsealError } from '../errors.js';

const fatalDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws FieldsealError `ERR_VALUE_NOT_TEXT` for a lone surrogate, which UTF-8 cannot hold */
export function assertWellFormed(text: string): void {
  if (!text.isWellFormed()) {
    throw new FieldsealError('ERR_VALUE_NOT_TEXT', 'The text has a lone surrogate, which cannot be stored as UTF-8.');
  }
}

/** Decodes UTF-8. @throws FieldsealError `ERR_VALUE_NOT_TEXT` when the bytes are not well-formed */
export function decodeUtf8(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return decodeUtf8Range(buffer, 0, buffer.length);
}

/** Decodes the UTF-8 of `buffer[start … end)`. @throws as {@link decodeUtf8} */
export function decodeUtf8Range(buffer: Buffer, start: number, end: number): string {
  const text = decodeUtf8OrNull(buffer, start, end);
  if (text !== null) return text;
  throw notUtf8();
}

/** As {@link decodeUtf8Range}; null when the bytes are not well-formed. */
export function decodeUtf8OrNull(buffer: Buffer, start: number, end: number): string | null {
  const text = buffer.toString('utf8', start, end);
  // Node puts U+FFFD in the place of what it cannot read; only then is the slower, strict decoder asked.
  if (!text.includes('\ufffd')) return text;
  try {
    return fatalDecoder.decode(buffer.subarray(start, end));
  } catch {
    return null;
  }
}

/** Of bytes that nobody wants as a string. @throws as {@link decodeUtf8} */
export function assertUtf8(bytes: Uint8Array): void {
  if (!isUtf8(bytes)) throw notUtf8();
}

function notUtf8(): FieldsealError {
  return new FieldsealError('ERR_VALUE_NOT_TEXT', 'The decrypted bytes are not UTF-8; read them as bytes.');
}
