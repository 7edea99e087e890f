/** The `fernet` scheme: the tokens of the Python original. They are bound to no place. */
import { decodeBase64UrlStrict, encodeBase64Url } from '../core/base64url.js';
import { encryptWith } from '../core/fernet.js';
import {
  isFernetShaped,
  type LoadedToken,
  loadToken,
  SECONDS_AT,
  tokenByteLength,
  tokenLength,
} from '../core/fernet-token.js';
import { resealWith } from '../core/multi-fernet.js';
import { isFieldsealError } from '../errors.js';
import type { ReadableKey } from '../keys/readable-key.js';
import { type Storage, type Stored, type TokenScheme, UNREADABLE } from './scheme.js';

/** Authentic bytes that are no Fernet token (another version, bad padding) are unreadable, like any other broken one. */
function decipherOrNull(key: ReadableKey, loaded: LoadedToken): Buffer | null {
  try {
    return key.fernet.decipher(loaded);
  } catch (error) {
    if (isFieldsealError(error)) return null;
    throw error;
  }
}

function inStorage(token: string, storage: Storage): Stored {
  return storage === 'text' ? token : (decodeBase64UrlStrict(token) as Buffer);
}

export const fernetScheme: TokenScheme = {
  name: 'fernet',
  open(_place, ring, stored) {
    const token = typeof stored === 'string' ? stored : encodeBase64Url(stored);
    const loaded = loadToken(token, 'strict');
    const found = loaded && ring.readable.find(({ fernet: key }) => key.authenticates(loaded));
    // A token of any time that authenticates is one; a text that does not is one only if it has a token's shape.
    if (!loaded || !found) return isFernetShaped(token) ? UNREADABLE : null;
    const high = loaded.buffer.readUInt32BE(SECONDS_AT);
    const low = loaded.buffer.readUInt32BE(SECONDS_AT + 4);
    const bytes = decipherOrNull(found, loaded);
    if (!bytes) return UNREADABLE;
    return {
      scheme: 'fernet',
      keyVersion: found.version,
      bytes,
      decode: (codec) => codec.decode(bytes),
      reseal: (key) =>
        inStorage(resealWith(key.fernet, bytes, high, low), typeof stored === 'string' ? 'text' : 'bytes'),
    };
  },
  sealedLength: (bytes, storage) => (storage === 'text' ? tokenLength(bytes) : tokenByteLength(bytes)),
  seal: (_place, key, data, storage) => inStorage(encryptWith(key.fernet, data), storage),
};
