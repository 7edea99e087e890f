/** A keyring out of environment variables alone, as the Python original had it. */
import { FieldsealError } from '../errors.js';
import { Keyring } from '../keys/keyring.js';
import { createKeyring } from '../keys/keyring-changes.js';
import { type Environment, takeEnvironmentKeys } from './key-variables.js';

// A second call finds the variables deleted; it gets the ring that the first one made.
const rings = new WeakMap<Environment, Keyring>();

/**
 * A keyring of `ENCRYPTION_KEY`, which writes, and `ENCRYPTION_KEY_PREVIOUS` (comma-separated), which only read; each
 * also as `…_FILE`. The variables are deleted from `env` once read; asked again, the same ring is returned.
 * @throws FieldsealError `ERR_KEY_MISSING`, `ERR_KEY_MALFORMED`, `ERR_KEY_FILE`, `ERR_CONFIG_INVALID`
 *
 * @example
 * const keyring = keyringFromEnv(process.env);
 */
export function keyringFromEnv(env: Environment): Keyring {
  const { current, previous } = takeEnvironmentKeys(env);
  if (!current) {
    const known = rings.get(env);
    if (known) return known;
    throw new FieldsealError('ERR_KEY_MISSING', 'ENCRYPTION_KEY is not set; make one with `fieldseal keygen`.');
  }
  const keyring = new Keyring(createKeyring(current, previous, Date.now()));
  rings.set(env, keyring);
  return keyring;
}
