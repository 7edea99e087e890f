/** The `fernet` scheme: the tokens of the Python original. They are bound to no place. */
import { encodeBase64Url } from '../core/base64url.js';
import { decryptTextWith, encryptWith } from '../core/fernet.js';
import { decipherMany, renewMany } from '../core/fernet-batch.js';
import type { FernetKey } from '../core/fernet-key.js';
import {
  FERNET_VERSION,
  isFernetShaped,
  type LoadedToken,
  loadToken,
  SECONDS_AT,
  type TokenSeconds,
  tokenByteLength,
  tokenLength,
  tokenSeconds,
} from '../core/fernet-token.js';
import { isFieldsealError } from '../errors.js';
import type { KeyringSnapshot } from '../keys/keyring-snapshot.js';
import type { ReadableKey } from '../keys/readable-key.js';
import type { Codec } from './codec.js';
import { type OpenedToken, type Storage, type Stored, type TokenScheme, UNREADABLE } from './scheme.js';
import { inStorage, type Sealed, type SealQueue } from './seal-queue.js';

/** Authentic bytes that are no Fernet token (another version, bad padding) are unreadable, like any other broken one. */
function decipherOrNull(key: ReadableKey, loaded: LoadedToken): Buffer | null {
  try {
    return key.fernet.decipher(loaded);
  } catch (error) {
    if (isFieldsealError(error)) return null;
    throw error;
  }
}

/** An authentic token's answer; a class, since a batch makes thousands at once. */
class OpenedFernet implements OpenedToken {
  readonly scheme = 'fernet';
  readonly keyVersion: string;
  readonly bytes: Buffer;
  readonly #seconds: TokenSeconds;
  readonly #storage: Storage;

  constructor({ version }: ReadableKey, bytes: Buffer, seconds: TokenSeconds, storage: Storage) {
    this.keyVersion = version;
    this.bytes = bytes;
    this.#seconds = seconds;
    this.#storage = storage;
  }

  decode<T>(codec: Codec<T>): T {
    return codec.decode(this.bytes);
  }

  reseal(queue: SealQueue): Sealed {
    return queue.addAgain(this.bytes, this.#seconds, this.#storage);
  }
}

function storageOf(stored: Stored): Storage {
  return typeof stored === 'string' ? 'text' : 'bytes';
}

/** The text of what may be a token: the version byte makes the first letter a g. Null for anything else. */
export function likelyToken(stored: Stored | null): string | null {
  if (typeof stored === 'string') return stored.startsWith('g') ? stored : null;
  return stored instanceof Uint8Array && stored[0] === FERNET_VERSION ? encodeBase64Url(stored) : null;
}

/** The text of an authentic token; null for everything else, of which `open` says what it is. */
export function openText(keys: readonly FernetKey[], stored: Stored): string | null {
  const token = likelyToken(stored);
  if (token === null) return null;
  try {
    return decryptTextWith(keys, token, 'strict');
  } catch (error) {
    if (isFieldsealError(error)) return null;
    throw error;
  }
}

/** What `Field.renewMany` makes of values. */
export function renewTokens(ring: KeyringSnapshot, stored: readonly (Stored | null)[]): (Stored | null)[] {
  const tokens = stored.map(likelyToken);
  const { values } = renewMany(ring.readableFernet, tokens);
  return values.map((token, i) => {
    const given = stored[i] as Stored;
    if (token === null || typeof given === 'string') return token;
    return token === tokens[i] ? given : inStorage(token, 'bytes');
  });
}

export const fernetScheme: TokenScheme = {
  name: 'fernet',
  open(_place, ring, stored) {
    const token = typeof stored === 'string' ? stored : encodeBase64Url(stored);
    const loaded = loadToken(token, 'strict');
    const found = loaded && ring.readable.find(({ fernet: key }) => key.authenticates(loaded));
    // A token of any time that authenticates is one; a text that does not is one only if it has a token's shape.
    if (!loaded || !found) return isFernetShaped(token) ? UNREADABLE : null;
    const seconds = tokenSeconds(loaded.buffer, SECONDS_AT);
    const bytes = decipherOrNull(found, loaded);
    return bytes ? new OpenedFernet(found, bytes, seconds, storageOf(stored)) : UNREADABLE;
  },
  openMany(ring, stored) {
    const { values } = decipherMany(ring.readableFernet, stored.map(likelyToken));
    return values.map((value, i) => {
      if (!value) return null;
      const { keyIndex, bytes, seconds } = value;
      return new OpenedFernet(ring.readable[keyIndex] as ReadableKey, bytes, seconds, storageOf(stored[i] as Stored));
    });
  },
  sealedLength: (bytes, storage) => (storage === 'text' ? tokenLength(bytes) : tokenByteLength(bytes)),
  seal: (_place, key, data, storage) => inStorage(encryptWith(key.fernet, data), storage),
  sealInto: (queue, _place, data, storage) => queue.add(data, storage),
};
