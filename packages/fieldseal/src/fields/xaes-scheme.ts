/**
 * The `xaes` and `xaes-subject` schemes: XAES-256-GCM bound to a place (FORMAT.md §3).
 *
 *     token = base64url without padding of  version ‖ key id u32be ‖ nonce 24 ‖ ciphertext ‖ tag 16
 *     version 0x01: under HKDF(key version);  0x02: under HKDF(key version ‖ subject secret)
 *     associated data = LP(label, tenant, table, column, primary key or empty, key id[, subject])
 */
import { writeStrictUnpadded } from '../core/base64url.js';
import { fillRandom } from '../core/random-pool.js';
import { XAES_NONCE_BYTES, XAES_TAG_BYTES, type Xaes256Gcm } from '../core/xaes-256-gcm.js';
import { isFieldsealError } from '../errors.js';
import type { ReadableKey } from '../keys/readable-key.js';
import type { Place } from './place.js';
import { type Opened, type Storage, type Stored, type TokenScheme, UNREADABLE, type WritingScheme } from './scheme.js';

const BOUND_VERSION = 0x01;
const SUBJECT_VERSION = 0x02;
const SCHEMES_BY_VERSION: Readonly<Record<number, XaesHeader['scheme']>> = {
  [BOUND_VERSION]: 'xaes',
  [SUBJECT_VERSION]: 'xaes-subject',
};
const KEY_ID_AT = 1;
const NONCE_AT = KEY_ID_AT + 4;
const CIPHERTEXT_AT = NONCE_AT + XAES_NONCE_BYTES;
const OVERHEAD_BYTES = CIPHERTEXT_AT + XAES_TAG_BYTES;

/** What tells the two schemes apart. */
interface Variant {
  readonly name: WritingScheme;
  readonly version: number;
  /**
   * Whose token it is, of one whose key version reads no more: an erased subject's is nobody's, and says so whatever has
   * become of the version. @throws FieldsealError of the place
   */
  holder(place: Place): unknown;
  /** The key and the associated data of a token under `key` in `place`. @throws FieldsealError of the place */
  binding(place: Place, key: ReadableKey): { readonly aead: Xaes256Gcm; readonly associatedData: Buffer };
}

/** A stored value as bytes; null for a text that is not unpadded base64url exactly as encoding writes it. */
function tokenBytes(stored: Stored): Buffer | null {
  if (typeof stored !== 'string') return Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const bytes = Buffer.allocUnsafe(Math.floor((stored.length * 3) / 4));
  return writeStrictUnpadded(stored, bytes, 0) === bytes.length ? bytes : null;
}

/** What the head of a token of these schemes says. */
export interface XaesHeader {
  readonly scheme: 'xaes' | 'xaes-subject';
  readonly keyId: number;
}

/** Reads the head of a stored value of a token's shape; null for any other. Only opening it tells whether it is a token. */
export function readXaesHeader(stored: Stored): XaesHeader | null {
  const token = tokenBytes(stored);
  if (!token || token.length < OVERHEAD_BYTES) return null;
  const scheme = SCHEMES_BY_VERSION[token[0] as number];
  return scheme === undefined ? null : { scheme, keyId: token.readUInt32BE(KEY_ID_AT) };
}

/** Null when the tag is not this key's in this place. */
function openOrNull({ aead, associatedData }: ReturnType<Variant['binding']>, token: Buffer): Buffer | null {
  try {
    return aead.open(token.subarray(NONCE_AT, CIPHERTEXT_AT), token.subarray(CIPHERTEXT_AT), associatedData);
  } catch (error) {
    if (isFieldsealError(error)) return null;
    throw error;
  }
}

function xaes({ name, version, holder, binding }: Variant): TokenScheme {
  const seal = (place: Place, key: ReadableKey, data: string | Uint8Array, storage: Storage): Stored => {
    const { aead, associatedData } = binding(place, key);
    const token = Buffer.allocUnsafe(
      OVERHEAD_BYTES + (typeof data === 'string' ? Buffer.byteLength(data) : data.length),
    );
    token[0] = version;
    token.writeUInt32BE(key.id, KEY_ID_AT);
    // 24 random bytes may be drawn for 2^80 messages under one key before two meet (c2sp.org/XAES-256-GCM).
    fillRandom(token, NONCE_AT, XAES_NONCE_BYTES, Date.now());
    aead.writeSealed(token, CIPHERTEXT_AT, token.subarray(NONCE_AT, CIPHERTEXT_AT), data, associatedData);
    return storage === 'text' ? token.toString('base64url') : token;
  };
  // Each token has a key of its own: there is nothing that several could share.
  const sealInto: TokenScheme['sealInto'] = (queue, place, data, storage) => ({
    stored: seal(place, queue.key, data, storage),
  });
  return {
    name,
    open(place, ring, stored, isDeclared): Opened | typeof UNREADABLE | null {
      // Cheap, and true of every token: the first six bits of the version byte are zero, and encode to an A.
      if (typeof stored === 'string' && !stored.startsWith('A')) return null;
      const token = tokenBytes(stored);
      if (!token || token.length < OVERHEAD_BYTES || token[0] !== version) return null;
      const keyId = token.readUInt32BE(KEY_ID_AT);
      if (!isDeclared && !ring.knowsId(keyId)) return null;
      // By its id, never by trying: a key that is not the token's never sees it.
      const key = ring.findReadable(keyId);
      if (!key && ring.knowsId(keyId)) holder(place);
      const bytes = key && openOrNull(binding(place, key), token);
      if (!key || !bytes) return UNREADABLE;
      return {
        scheme: name,
        keyVersion: key.version,
        bytes,
        decode: (codec) => codec.decode(bytes),
        reseal: (queue) => sealInto(queue, place, bytes, typeof stored === 'string' ? 'text' : 'bytes'),
      };
    },
    sealedLength: (bytes, storage) =>
      storage === 'text' ? Math.ceil(((OVERHEAD_BYTES + bytes) * 4) / 3) : OVERHEAD_BYTES + bytes,
    seal,
    sealInto,
  };
}

export const xaesScheme = xaes({
  name: 'xaes',
  version: BOUND_VERSION,
  holder: () => null,
  binding: (place, key) => ({ aead: key.xaes, associatedData: place.associatedData('fieldseal/xaes/1', key.id) }),
});

export const xaesSubjectScheme = xaes({
  name: 'xaes-subject',
  version: SUBJECT_VERSION,
  holder: (place) => place.subject,
  binding: (place, key) => {
    const { subject } = place;
    return {
      aead: key.underSubject(subject),
      associatedData: place.associatedData('fieldseal/xaes-subject/1', key.id, subject.subject),
    };
  },
});
