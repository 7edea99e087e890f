/** Sensitive values in the details of audit rows: kept as keyed hashes, by which a row is found and no value is read. */
import { FieldsealError, isFieldsealError, KeyedHash } from 'fieldseal';
import type { Store } from '../store/store.js';
import { type GivenKeys, openServiceKeyring, withPurposeKey } from './service-keyring.js';

const PURPOSE = 'audit-hmac';
const LABEL = 'audit-value/1';
const LONGEST = 4096;

/** Name → keyed hash, 64 hex digits. */
export type HashedValues = Readonly<Record<string, string>>;

/** Hashes sensitive values. A hash is of the name and the value, exactly as they are given. */
export type HashValues = (values: Readonly<Record<string, string>>) => Promise<HashedValues>;

/** @throws FieldsealError `ERR_INPUT_INVALID`, without the value */
function assertValue(name: string, value: string): void {
  if (!/^[A-Za-z][A-Za-z0-9_.-]{0,99}$/.test(name)) {
    throw new FieldsealError(
      'ERR_INPUT_INVALID',
      'The name of a sensitive value begins with a letter, and has up to 99 more letters, digits, _ . or -.',
    );
  }
  if (typeof value === 'string' && value.length > 0 && value.length <= LONGEST) return;
  throw new FieldsealError('ERR_INPUT_INVALID', `The value of ${name} is not a text of 1 to ${LONGEST} characters.`);
}

/**
 * Hashes under the ring's audit-HMAC key, which is made when it is first needed: whoever is in a transaction hashes
 * before it.
 */
export function valueHasher(store: Store, keys: GivenKeys): HashValues {
  let hash: Promise<KeyedHash> | null = null;
  const ringWithKey = async () => {
    const given = { ...keys, previous: [] };
    return (await withPurposeKey(store, await openServiceKeyring(store, given, false), PURPOSE)).ring;
  };
  const opened = async () => {
    const ring = await ringWithKey().catch((error: unknown) => {
      // Another process has just made it, or changed the ring otherwise.
      if (isFieldsealError(error) && error.code === 'ERR_KEYRING_CONFLICT') return ringWithKey();
      throw error;
    });
    const secret = ring.purposeKey(PURPOSE)?.secret;
    if (!secret) throw new FieldsealError('ERR_KEYRING_INVALID', 'The keyring has no key to hash audited values with.');
    return new KeyedHash(secret, LABEL);
  };
  return async (values) => {
    const given = Object.entries(values);
    for (const [name, value] of given) assertValue(name, value);
    if (given.length === 0) return {};
    // What failed is tried again by the next.
    hash ??= opened().catch((error: unknown) => {
      hash = null;
      throw error;
    });
    const keyed = await hash;
    return Object.fromEntries(given.map(([name, value]) => [name, keyed.hash(name, value)]));
  };
}

/** How details show a hashed value. */
export function hashedDetails(values: HashedValues): Record<string, { readonly hmac: string }> {
  return Object.fromEntries(Object.entries(values).map(([name, hmac]) => [name, { hmac }]));
}
