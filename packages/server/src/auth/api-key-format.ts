/**
 * The text of an API key.
 *
 *     pk_<6>_<26><6>      three parts of base62; the last six are the CRC-32 of all before, so that a scanner or a
 *                         typing mistake needs no database. As a regular expression: pk_[0-9A-Za-z]{6}_[0-9A-Za-z]{32}
 */
import { crc32 } from 'node:zlib';
import { Secret } from 'fieldseal';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PREFIX_CHARS = 6;
/** 26 × log2(62) = 154 bits. */
const SECRET_CHARS = 26;
const CHECKSUM_CHARS = 6;

/** `length` base62 characters of the CSPRNG. Bytes from 248 up are thrown away: 248 is 4 × 62, so no character is likelier. */
function randomBase62(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of Secret.random(2 * length).reveal()) {
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
    }
  }
  return text;
}

function checksum(text: string): string {
  let value = crc32(text);
  let out = '';
  for (let i = 0; i < CHECKSUM_CHARS; i++) {
    out = ALPHABET[value % 62] + out;
    value = Math.floor(value / 62);
  }
  return out;
}

/** A new key, and the part of it that may be shown. */
export function generateApiKey(label: string): { readonly key: string; readonly prefix: string } {
  const prefix = `${label}_${randomBase62(PREFIX_CHARS)}`;
  const unchecked = `${prefix}_${randomBase62(SECRET_CHARS)}`;
  return { key: unchecked + checksum(unchecked), prefix };
}

/** What a text that came as an API key says of itself. */
export interface PresentedApiKey {
  /** Where to look it up: up to the last underscore, and for a shape that is not ours up to the second one as well. */
  readonly prefixes: readonly string[];
  /** `wrong`: our shape with another checksum, which only a key of the Python original can have. `none`: another shape. */
  readonly checksum: 'right' | 'wrong' | 'none';
}

const OUR_SHAPE = /^[A-Za-z][A-Za-z0-9]{0,15}_[0-9A-Za-z]{6}_[0-9A-Za-z]{32}$/;
/** The same anywhere in a text, for finding a key where none belongs. */
export const API_KEY_ANYWHERE =
  /(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9]{0,15}_[0-9A-Za-z]{6}_[0-9A-Za-z]{32}(?![0-9A-Za-z])/;
/** Keys of the Python original: something with a prefix, of printable ASCII, that is no JWT. */
const ANY_SHAPE = /^[!-~]{8,255}$/;

/** Reads the outside of a key; null for what cannot be one. Nothing is looked up. */
export function readApiKey(text: string): PresentedApiKey | null {
  if (!ANY_SHAPE.test(text)) return null;
  const end = text.lastIndexOf('_');
  if (end <= 0) return null;
  if (OUR_SHAPE.test(text)) {
    const body = text.slice(0, -CHECKSUM_CHARS);
    return { prefixes: [text.slice(0, end)], checksum: text.endsWith(checksum(body)) ? 'right' : 'wrong' };
  }
  // What comes behind the original's prefix may hold underscores of its own: `secrets.token_urlsafe` has them.
  const second = text.indexOf('_', text.indexOf('_') + 1);
  const ends = second > 0 && second < end ? [end, second] : [end];
  return { prefixes: ends.map((at) => text.slice(0, at)), checksum: 'none' };
}
