/**
 * The bytes of a Fernet token (github.com/fernet/spec, version 0x80), and how its text becomes them and back.
 *
 *     token = base64url with padding of
 *     0x80 ‖ u64be seconds ‖ iv16 ‖ AES-128-CBC/PKCS7 ciphertext (16 or more, a multiple of 16) ‖ HMAC-SHA256 32
 *
 * Here they always stand behind 64 bytes of room, where the HMAC puts its padded key.
 */
import { type Base64Mode, base64UrlPadding, decodeBase64UrlPython, writeStrictBase64Url } from './base64url.js';
import { HMAC_BLOCK_BYTES, HMAC_BYTES } from './hmac-sha256.js';

export const FERNET_VERSION = 0x80;
export const VERSION_AT = HMAC_BLOCK_BYTES;
export const SECONDS_AT = VERSION_AT + 1;
export const IV_AT = SECONDS_AT + 8;
export const CIPHERTEXT_AT = IV_AT + 16;
/** What stands before the IV: the version and the time. */
export const HEADER_BYTES = 1 + 8;
export const OVERHEAD_BYTES = HEADER_BYTES + 16 + HMAC_BYTES;
/**
 * What has no room here gets memory of its own: garbage that a call leaves behind, and Node 24 collects everything as
 * soon as 64 MiB of such memory are in use, which cost a value of 64 KiB half of its time again.
 */
export const SCRATCH_BYTES = 96 * 1024;

/** A token's bytes in `buffer[64 … end)`. */
export interface LoadedToken {
  readonly buffer: Buffer;
  readonly end: number;
}

// Nothing in here awaits or calls back, so one buffer serves every call of a thread in turn. It never holds plaintext
// once a call has returned: the ciphertext is written over it.
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

/** Room for `tokenBytes` behind the HMAC's 64: the shared buffer, or one of its own for a large value. */
export function tokenBuffer(tokenBytes: number): Buffer {
  const size = HMAC_BLOCK_BYTES + tokenBytes;
  return size <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafeSlow(size);
}

/**
 * Views of the shared buffer by where they end, since making one costs as much as copying a field. Short tokens only.
 */
const VIEWED_BYTES = 1024;
const hashedParts: Buffer[] = [];
const aesParts: Buffer[] = [];

/** `buffer[0 … end)`: what the HMAC of a token is made of that is signed up to `end`. */
export function hashedPart(buffer: Buffer, end: number): Buffer {
  if (buffer !== scratch || end > VIEWED_BYTES) return buffer.subarray(0, end);
  hashedParts[end] ??= scratch.subarray(0, end);
  return hashedParts[end];
}

/** `buffer[IV_AT … end)`: the IV and the ciphertext that ends there. */
export function aesPart(buffer: Buffer, end: number): Buffer {
  if (buffer !== scratch || end > VIEWED_BYTES) return buffer.subarray(IV_AT, end);
  aesParts[end] ??= scratch.subarray(IV_AT, end);
  return aesParts[end];
}

/** The bytes that a token takes around a plaintext of at most `plaintextBytes`. */
export function tokenBytesFor(plaintextBytes: number): number {
  return OVERHEAD_BYTES + plaintextBytes + 16;
}

/** The bytes of a token around exactly `plaintextBytes`: PKCS7 always pads. */
export function tokenByteLength(plaintextBytes: number): number {
  return OVERHEAD_BYTES + 16 * (Math.floor(plaintextBytes / 16) + 1);
}

/** The characters of a token around exactly `plaintextBytes`: base64url pads to a multiple of 4. */
export function tokenLength(plaintextBytes: number): number {
  return 4 * Math.ceil(tokenByteLength(plaintextBytes) / 3);
}

/** The text of the token in `buffer[start … end)`. */
export function tokenText(buffer: Buffer, end: number, start = VERSION_AT): string {
  return buffer.toString('base64url', start, end) + base64UrlPadding(end - start);
}

function loadStrict(token: string): LoadedToken | null {
  if (token.length % 4 !== 0) return null;
  const buffer = tokenBuffer((token.length / 4) * 3);
  const bytes = writeStrictBase64Url(token, buffer, VERSION_AT);
  return bytes < 0 ? null : { buffer, end: VERSION_AT + bytes };
}

function loadPython(token: string | Uint8Array): LoadedToken | null {
  const isText = typeof token === 'string';
  const bytes = decodeBase64UrlPython(isText ? token : Buffer.from(token).toString('latin1'), !isText);
  if (!bytes) return null;
  const buffer = tokenBuffer(bytes.length);
  bytes.copy(buffer, VERSION_AT);
  return { buffer, end: VERSION_AT + bytes.length };
}

/** Whether so many bytes can be a token: header, IV, one block or more, MAC. */
export function isTokenByteLength(bytes: number): boolean {
  return bytes >= OVERHEAD_BYTES + 16 && (bytes - OVERHEAD_BYTES) % 16 === 0;
}

/** Decodes a token's text (or its ASCII bytes); null when it cannot be a token. Nothing is authenticated yet. */
export function loadToken(token: string | Uint8Array, mode: Base64Mode): LoadedToken | null {
  const loaded =
    mode === 'python'
      ? loadPython(token)
      : loadStrict(typeof token === 'string' ? token : Buffer.from(token).toString('latin1'));
  return loaded && isTokenByteLength(loaded.end - VERSION_AT) ? loaded : null;
}

/**
 * Whether `text` has the shape of a Fernet token: strict base64url, the version byte, a legal length, and a time before
 * 2^32 seconds (2106). Only authentication decides whether it is one.
 */
export function isFernetShaped(text: string): boolean {
  // A version byte and four zero bytes of time always encode to this; the test only saves the decoding of most text.
  if (!text.startsWith('gAAAAA')) return false;
  const loaded = loadToken(text, 'strict');
  return (
    loaded !== null && loaded.buffer[VERSION_AT] === FERNET_VERSION && loaded.buffer.readUInt32BE(SECONDS_AT) === 0
  );
}

/** A token's time: seconds since 1970, in two u32 words. */
export interface TokenSeconds {
  readonly high: number;
  readonly low: number;
}

/** The time that stands in `buffer[at … at + 8)`. */
export function tokenSeconds(buffer: Buffer, at: number): TokenSeconds {
  return { high: buffer.readUInt32BE(at), low: buffer.readUInt32BE(at + 4) };
}

/** Seconds since 1970 as two u32 words. @throws RangeError outside 0 … 2^64-1, or for a fraction */
export function secondsToWords(seconds: number | bigint): TokenSeconds {
  if (
    typeof seconds === 'bigint' ? seconds < 0n || seconds >= 1n << 64n : !Number.isSafeInteger(seconds) || seconds < 0
  ) {
    throw new RangeError('a time is a whole number of seconds from 0 to 2^64-1 (a bigint above 2^53-1)');
  }
  if (typeof seconds === 'bigint') {
    return { high: Number(seconds >> 32n), low: Number(seconds & 0xffff_ffffn) };
  }
  return { high: Math.floor(seconds / 0x1_0000_0000), low: seconds % 0x1_0000_0000 };
}
