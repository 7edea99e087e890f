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
 * Decodes as CPython's `binascii.a2b_base64` without strict mode, behind `urlsafe_b64decode`: both alphabets, unknown
 * characters skipped, nothing read behind a complete padding, missing padding refused. Returns null where Python raises:
 * for characters beyond ASCII too, unless `text` stands for bytes (one character each), of which Python skips them.
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
