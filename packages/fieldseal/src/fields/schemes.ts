/** Every scheme by its name. */
import { encodeBase64Url } from '../core/base64url.js';
import { isFernetShaped } from '../core/fernet-token.js';
import type { KeyringSnapshot } from '../keys/keyring-snapshot.js';
import { fernetScheme } from './fernet-scheme.js';
import type { Place } from './place.js';
import { plaintextScheme } from './plaintext-scheme.js';
import type { Opened, Scheme, SchemeName, Stored, TokenScheme, UNREADABLE, WritingScheme } from './scheme.js';
import { readXaesHeader, xaesScheme, xaesSubjectScheme } from './xaes-scheme.js';

/** The schemes, in the order in which a value is asked about: the surest shape first. */
export const SCHEMES: Readonly<Record<WritingScheme, TokenScheme>> & { readonly plaintext: Scheme } = {
  fernet: fernetScheme,
  xaes: xaesScheme,
  'xaes-subject': xaesSubjectScheme,
  plaintext: plaintextScheme,
};

export const SCHEME_NAMES = Object.keys(SCHEMES) as readonly SchemeName[];

/** Asks `schemes` in order, and returns the first answer that is not "not mine". */
export function openWith(
  schemes: readonly SchemeName[],
  place: Place,
  ring: KeyringSnapshot,
  stored: Stored,
): Opened | typeof UNREADABLE | null {
  for (const name of schemes) {
    const opened = SCHEMES[name].open(place, ring, stored, true);
    if (opened !== null) return opened;
  }
  return null;
}

/**
 * The scheme that a stored value has the shape of: cheap, and without keys. A text may have a token's shape by chance; only
 * opening it in its place tells.
 */
export function shapeOf(stored: Stored): SchemeName {
  const token = typeof stored === 'string' ? stored : encodeBase64Url(stored);
  return isFernetShaped(token) ? 'fernet' : (readXaesHeader(stored)?.scheme ?? 'plaintext');
}
