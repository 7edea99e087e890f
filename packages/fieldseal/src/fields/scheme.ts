/** How a field is encrypted: each scheme says of a stored value "mine", "mine but unreadable" or "not mine". */
import type { KeyringSnapshot } from '../keys/keyring-snapshot.js';
import type { ReadableKey } from '../keys/readable-key.js';
import type { Codec } from './codec.js';
import type { Place } from './place.js';
import type { Sealed, SealQueue } from './seal-queue.js';

/** The schemes. Each but `plaintext` can write. */
export type SchemeName = 'fernet' | 'xaes' | 'xaes-subject' | 'plaintext';
export type WritingScheme = Exclude<SchemeName, 'plaintext'>;

/** How a column keeps tokens: as text, or in `bytea`/`blob` as the bytes that the text stands for. */
export type Storage = 'text' | 'bytes';

/** A value as it is stored. */
export type Stored = string | Uint8Array;

/** A stored value that a scheme opened. */
interface OpenedBytes {
  /** The decrypted bytes. */
  readonly bytes: Buffer;
  /** The value, by its column's codec. @throws what the codec throws for bytes that it does not make */
  decode<T>(codec: Codec<T>): T;
}

/** Plaintext, which no key holds. */
export interface OpenedPlaintext extends OpenedBytes {
  readonly scheme: 'plaintext';
  readonly keyVersion: null;
}

/** A token. */
export interface OpenedToken extends OpenedBytes {
  readonly scheme: WritingScheme;
  /** The version of the key that opened it. */
  readonly keyVersion: string;
  /** The same bytes under the queue's key in the same place and storage; what the token carries besides (its time) stays. */
  reseal(queue: SealQueue): Sealed;
}

export type Opened = OpenedPlaintext | OpenedToken;

/** A stored value that has a token's shape, but that no key of the ring opens. */
export const UNREADABLE = Symbol('unreadable');

/** One way to store a field. */
export interface Scheme {
  readonly name: SchemeName;
  /**
   * `null` = not mine; `UNREADABLE` = mine, but no key opens it in this place.
   * @param isDeclared whether the column reads this scheme. Where it does not, a shape that text may have by chance
   * counts only when it names a key of the ring
   * @throws FieldsealError of the place, when the scheme binds to it and it is incomplete
   */
  open(place: Place, ring: KeyringSnapshot, stored: Stored, isDeclared: boolean): Opened | typeof UNREADABLE | null;
  /**
   * What can be opened of many values in one go: null for a value that has to be asked for by `open`. Only of a scheme
   * that gains by it, and that binds to no place.
   */
  openMany?(ring: KeyringSnapshot, stored: readonly (Stored | null)[]): (Opened | null)[];
}

/** A scheme that makes tokens. */
export interface TokenScheme extends Scheme {
  readonly name: WritingScheme;
  /** How many characters (storage `text`) or bytes `seal` makes of so many bytes. */
  sealedLength(bytes: number, storage: Storage): number;
  /** Encrypts under `key`. @throws FieldsealError of the place, when the scheme binds to it and it is incomplete */
  seal(place: Place, key: ReadableKey, data: string | Uint8Array, storage: Storage): Stored;
  /** Encrypts under the queue's key, together with what else is in the queue. @throws as `seal` */
  sealInto(queue: SealQueue, place: Place, data: string | Uint8Array, storage: Storage): Sealed;
}
