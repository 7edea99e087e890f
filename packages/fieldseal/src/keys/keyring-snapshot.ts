/** An immutable view of a keyring: what one batch of work uses from beginning to end. */
import type { FernetKey } from '../core/fernet-key.js';
import type { Secret } from '../core/secret.js';
import { FieldsealError } from '../errors.js';
import { ReadableKey } from './readable-key.js';
import type { KeyPurpose, KeyState } from './stored-keyring.js';

/** One key in memory. */
export interface Key {
  /** `v1`, `v2`, … */
  readonly version: string;
  readonly purpose: KeyPurpose;
  /** Non-zero u32, unique in the ring. */
  readonly id: number;
  readonly state: KeyState;
  /** RFC 3339 UTC with `Z`. */
  readonly createdAt: string;
  /** Null once destroyed. */
  readonly secret: Secret | null;
}

const READABLE: readonly KeyState[] = ['primary', 'pending', 'active'];

/** The number in `v12`; 0 for anything else. */
export function versionNumber(version: string): number {
  return Number(/^v([1-9]\d*)$/.exec(version)?.[1] ?? 0);
}

/** The primary first, then the newest. */
function rank({ state, version }: Key): number {
  return state === 'primary' ? Number.POSITIVE_INFINITY : versionNumber(version);
}

/** A ring at one generation. It never changes; a change makes a new one. */
export class KeyringSnapshot {
  readonly id: string;
  readonly generation: number;
  readonly keys: readonly Key[];
  /** The one field key that writes. */
  readonly primary: ReadableKey;
  /** The field keys that read: the primary first, then the newest first. */
  readonly readable: readonly ReadableKey[];
  /** What they are to Fernet tokens, in the same order. */
  readonly readableFernet: readonly FernetKey[];

  /** @throws FieldsealError `ERR_KEYRING_INVALID` unless there is exactly one primary, and versions and ids are unique */
  constructor(id: string, generation: number, keys: readonly Key[]) {
    this.id = id;
    this.generation = generation;
    this.keys = Object.freeze(keys.map((key) => Object.freeze({ ...key })));
    const field = this.keys.filter((key) => key.purpose === 'field');
    const versions = new Set(this.keys.map((key) => `${key.purpose} ${key.version}`));
    const ids = new Set(this.keys.map((key) => key.id));
    const primaries = field.filter((key) => key.state === 'primary');
    if (primaries.length !== 1 || versions.size !== keys.length || ids.size !== keys.length) {
      throw new FieldsealError('ERR_KEYRING_INVALID', 'A keyring has one primary key, and each version and id once.');
    }
    this.readable = Object.freeze(
      field
        .filter((key) => READABLE.includes(key.state))
        .sort((a, b) => rank(b) - rank(a))
        .map((key) => new ReadableKey(key.version, key.id, key.secret as Secret)),
    );
    this.readableFernet = Object.freeze(this.readable.map(({ fernet }) => fernet));
    this.primary = this.readable[0] as ReadableKey;
  }

  /** The field key that reads under that id, or null. */
  findReadable(keyId: number): ReadableKey | null {
    return this.readable.find((key) => key.id === keyId) ?? null;
  }

  /** Whether a field key of the ring has, or had, that id, in whatever state it is. */
  knowsId(keyId: number): boolean {
    return this.keys.some((key) => key.id === keyId && key.purpose === 'field');
  }

  /** The key of that version, whatever its state. @throws FieldsealError `ERR_KEY_NOT_FOUND` */
  key(version: string, purpose: KeyPurpose = 'field'): Key {
    const key = this.keys.find((candidate) => candidate.purpose === purpose && candidate.version === version);
    if (!key) throw new FieldsealError('ERR_KEY_NOT_FOUND', `The keyring has no key ${version}.`);
    return key;
  }

  /** The primary key of a purpose other than fields, or null when the ring has none yet. */
  purposeKey(purpose: Exclude<KeyPurpose, 'field'>): Key | null {
    return this.purposeKeys(purpose)[0] ?? null;
  }

  /** The keys of a purpose other than fields that are in use: the primary, then those that come or go, newest first. */
  purposeKeys(purpose: Exclude<KeyPurpose, 'field'>): readonly Key[] {
    const keys = this.keys.filter((key) => key.purpose === purpose && READABLE.includes(key.state));
    return keys.some(({ state }) => state === 'primary') ? keys.sort((a, b) => rank(b) - rank(a)) : [];
  }

  /** The field key that holds these bytes, or null. */
  findSecret(secret: Secret): Key | null {
    return this.keys.find((key) => key.purpose === 'field' && key.secret?.equals(secret)) ?? null;
  }
}
