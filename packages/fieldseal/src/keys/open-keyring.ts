/** Opening a keyring that a provider keeps. */
import type { KeyProvider } from './key-provider.js';
import { Keyring, REFRESH_SECONDS } from './keyring.js';

/**
 * Loads a keyring before the first query, and keeps it fresh.
 *
 * @param options.refreshSeconds how often it is read again (10 when left out; a rotation waits about that long)
 * @throws whatever the provider's `load` throws, such as FieldsealError `ERR_KEYRING_NOT_FOUND` or `ERR_KEYRING_ROOT`
 */
export async function openKeyring(provider: KeyProvider, options: { refreshSeconds?: number } = {}): Promise<Keyring> {
  const refreshSeconds = options.refreshSeconds ?? REFRESH_SECONDS;
  if (!(refreshSeconds > 0 && refreshSeconds <= 30)) {
    throw new RangeError('refreshSeconds is more than 0 and at most 30: after 60 unconfirmed seconds writing stops');
  }
  const keyring = new Keyring(await provider.load());
  await provider.acknowledge?.(keyring.snapshot().generation);
  keyring.follow(provider, refreshSeconds);
  return keyring;
}
