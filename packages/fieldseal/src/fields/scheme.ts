/** How a field is encrypted: each scheme says of a stored text "mine", "mine but unreadable" or "not mine". */

import { encryptWith } from '../core/fernet.js';
import { isFernetShaped, type LoadedToken, loadToken, SECONDS_AT, tokenLength } from '../core/fernet-token.js';
import { resealWith } from '../core/multi-fernet.js';
import { decodeUtf8 } from '../core/utf8.js';
import { isFieldsealError } from '../errors.js';
import type { KeyringSnapshot, ReadableKey } from '../keys/keyring-snapshot.js';

/** The schemes. */
export type SchemeName = 'fernet' | 'plaintext';

/** A stored text that a scheme opened. */
export interface Opened {
  readonly scheme: SchemeName;
  /** The version of the key that opened it; null for plaintext. */
  readonly keyVersion: string | null;
  /** The decrypted bytes. */
  readonly bytes: Buffer;
  /** The same bytes under `key`; what the token carries besides them (its time) stays. */
  reseal(key: ReadableKey): string;
}

/** A stored text that has a token's shape, but that no key of the ring opens. */
export const UNREADABLE = Symbol('unreadable');

/** One way to store a field. */
export interface Scheme {
  readonly name: SchemeName;
  /** `null` = not mine; `UNREADABLE` = mine, but no key opens it. */
  open(ring: KeyringSnapshot, stored: string): Opened | typeof UNREADABLE | null;
  /** How many characters `seal` makes of so many bytes. */
  sealedLength(bytes: number): number;
  /** Encrypts under the ring's primary. */
  seal(ring: KeyringSnapshot, data: string | Uint8Array): string;
}

/** Authentic bytes that are no Fernet token (another version, bad padding) are unreadable, like any other broken one. */
function decipherOrNull(key: ReadableKey, loaded: LoadedToken): Buffer | null {
  try {
    return key.fernet.decipher(loaded);
  } catch (error) {
    if (isFieldsealError(error)) return null;
    throw error;
  }
}

const fernet: Scheme = {
  name: 'fernet',
  open(ring, stored) {
    const loaded = loadToken(stored, 'strict');
    const found = loaded && ring.readable.find(({ fernet: key }) => key.authenticates(loaded));
    // A token of any time that authenticates is one; a text that does not is one only if it has a token's shape.
    if (!loaded || !found) return isFernetShaped(stored) ? UNREADABLE : null;
    const high = loaded.buffer.readUInt32BE(SECONDS_AT);
    const low = loaded.buffer.readUInt32BE(SECONDS_AT + 4);
    const bytes = decipherOrNull(found, loaded);
    if (!bytes) return UNREADABLE;
    return {
      scheme: 'fernet',
      keyVersion: found.version,
      bytes,
      reseal: (key) => resealWith(key.fernet, bytes, high, low),
    };
  },
  sealedLength: tokenLength,
  seal: (ring, data) => encryptWith(ring.primary.fernet, data),
};

const plaintext: Scheme = {
  name: 'plaintext',
  open(_ring, stored) {
    const bytes = Buffer.from(stored, 'utf8');
    return { scheme: 'plaintext', keyVersion: null, bytes, reseal: (key) => encryptWith(key.fernet, bytes) };
  },
  sealedLength: (bytes) => bytes,
  seal: (_ring, data) => (typeof data === 'string' ? data : decodeUtf8(data)),
};

/** Every scheme by its name. */
export const SCHEMES: Readonly<Record<SchemeName, Scheme>> = { fernet, plaintext };

/** Asks `schemes` in order, and returns the first answer that is not "not mine". */
export function openWith(
  schemes: readonly SchemeName[],
  ring: KeyringSnapshot,
  stored: string,
): Opened | typeof UNREADABLE | null {
  for (const name of schemes) {
    const opened = SCHEMES[name].open(ring, stored);
    if (opened !== null) return opened;
  }
  return null;
}
