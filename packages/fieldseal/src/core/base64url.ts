/** Base64url with padding, read in two ways: strictly, or exactly as Python's `base64.urlsafe_b64decode` reads it. */

/** `strict`: only what encoding would have written. `python`: all that pyca/cryptography accepts. */
export type Base64Mode = 'strict' | 'python';

const PADDING = ['', '==', '='] as const;

/** The padding that belongs behind `byteLength` encoded bytes. */
export function base64UrlPadding(byteLength: number): string {
  return PADDING[(byteLength % 3) as 0 | 1 | 2];
}

/** Encodes with padding (RFC 4648 §5). */
export function encodeBase64Url(bytes: Uint8Array): string {
  return (
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url') + base64UrlPadding(bytes.length)
  );
}

/**
 * Decodes padded base64url, or returns null for anything that {@link encodeBase64Url} would not have written: another
 * alphabet, white space, wrong padding, non-zero trailing bits.
 */
export function decodeBase64UrlStrict(text: string): Buffer | null {
  // Node's decoder skips what it does not know, so the only safe check is to encode again and compare.
  const bytes = Buffer.from(text, 'base64url');
  return encodeBase64Url(bytes) === text ? bytes : null;
}

/** Character code → 6 bits for both alphabets (`+-` and `/_`), 255 for all others. */
const SEXTET = new Uint8Array(128).fill(255);
for (const [alphabetIndex, char] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  SEXTET[char.charCodeAt(0)] = alphabetIndex;
}
SEXTET['-'.charCodeAt(0)] = 62;
SEXTET['_'.charCodeAt(0)] = 63;
const PAD = '='.charCodeAt(0);
/**
 * V8 keeps a text of characters up to 255 one byte each, and knows of such a text, without looking at it, that this
 * does not match: a fraction of what counting its bytes costs. Characters of two bytes are looked at one by one.
 */
const BEYOND_LATIN1 = /[\u0100-\uffff]/;
/** A multiple of 4. */
const PIECE_CHARACTERS = 64 * 1024;

/**
 * Decodes padded base64url into `target` at `offset`, as {@link decodeBase64UrlStrict} would, its twin, in a third of
 * the time.
 * @returns the number of bytes, or -1 for what {@link encodeBase64Url} would not have written; `target` then holds
 * anything
 */
export function writeStrictBase64Url(text: string, target: Buffer, offset: number): number {
  const { length } = text;
  if (length === 0) return 0;
  if (length % 4 !== 0) return -1;
  const pads = text.charCodeAt(length - 1) !== PAD ? 0 : text.charCodeAt(length - 2) !== PAD ? 1 : 2;
  return writeCanonical(text, length - pads, target, offset);
}

/** As {@link writeStrictBase64Url}, of base64url without padding. */
export function writeStrictUnpadded(text: string, target: Buffer, offset: number): number {
  return writeCanonical(text, text.length, target, offset);
}

/**
 * Decodes the text, of which `digits` characters have to be base64url and all others padding behind them. Node's
 * decoder is lax in five ways, and each is met here: it takes `+` and `/` too; it cuts characters above 255 down to a
 * byte, which then may be a digit; it skips other characters, or stops at them, so that fewer bytes come out than so
 * many digits make; it forgives padding (the caller has counted it); it ignores the last digit's bits behind the last
 * whole byte.
 */
function writeCanonical(text: string, digits: number, target: Buffer, offset: number): number {
  const rest = digits % 4;
  if (rest === 1) return -1;
  if (BEYOND_LATIN1.test(text) || text.includes('+') || text.includes('/')) return -1;
  const unusedBits = rest === 0 ? 0 : rest === 2 ? 0x0f : 0x03;
  if (((SEXTET[text.charCodeAt(digits - 1)] as number) & unusedBits) !== 0) return -1;
  const bytes = Math.floor((digits * 3) / 4);
  if (target.length - offset < bytes) throw new RangeError('the decoded bytes do not fit');
  if (text.length <= PIECE_CHARACTERS) return target.write(text, offset, 'base64url') === bytes ? bytes : -1;
  // Node copies a text before it decodes it; in pieces, each of which ends between two bytes, it needs no room for all
  // of it.
  let at = offset;
  for (let from = 0; from < text.length; from += PIECE_CHARACTERS) {
    const piece = text.slice(from, from + PIECE_CHARACTERS);
    const pieceDigits = Math.min(digits - from, PIECE_CHARACTERS);
    const pieceBytes = Math.floor((pieceDigits * 3) / 4);
    if (target.write(piece, at, 'base64url') !== pieceBytes) return -1;
    at += pieceBytes;
  }
  return bytes;
}

/**
 * Decodes as CPython's `binascii.a2b_base64` without strict mode, behind `urlsafe_b64decode`: both alphabets, unknown
 * characters skipped, nothing read behind a complete padding, missing padding refused. Returns null where Python
 * raises: for characters beyond ASCII too, unless `text` stands for bytes (one character each), of which Python skips
 * them.
 */
export function decodeBase64UrlPython(text: string, standsForBytes = false): Buffer | null {
  // Of the whole text: Python encodes it as ASCII before it decodes, so that characters behind the padding count too.
  if (!standsForBytes && /\P{ASCII}/u.test(text)) return null;
  const out = Buffer.allocUnsafe(Math.ceil((text.length * 3) / 4));
  let length = 0;
  let quadPosition = 0;
  let left = 0;
  let pads = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) continue;
    if (code === PAD) {
      if (quadPosition >= 2 && quadPosition + ++pads >= 4) return out.subarray(0, length);
      continue;
    }
    const sextet = SEXTET[code] as number;
    if (sextet === 255) continue;
    pads = 0;
    if (quadPosition === 0) {
      left = sextet;
    } else if (quadPosition === 1) {
      out[length++] = (left << 2) | (sextet >> 4);
      left = sextet & 0x0f;
    } else if (quadPosition === 2) {
      out[length++] = (left << 4) | (sextet >> 2);
      left = sextet & 0x03;
    } else {
      out[length++] = (left << 6) | sextet;
    }
    quadPosition = (quadPosition + 1) % 4;
  }
  return quadPosition === 0 ? out.subarray(0, length) : null;
}
