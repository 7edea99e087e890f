/** The public keys that an identity provider signs tokens with: a JSON Web Key Set (RFC 7517) fetched over HTTPS, and kept. */
import { FieldsealError } from 'fieldseal';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';

/** Keys of this age are fetched again when a token comes. */
const REFRESH_MS = 10 * 60_000;
/** Keys of this age are not used any more, whatever the endpoint does. */
const MAX_AGE_MS = 60 * 60_000;
/** So long after an attempt there is no other, however many unknown keys are named by tokens. */
const COOLDOWN_MS = 30_000;
/** The same while there are no keys at all, and every token waits for them. */
const EMPTY_COOLDOWN_MS = 5_000;
const TIMEOUT_MS = 5_000;
const MAX_BYTES = 256 * 1024;
const MAX_KEYS = 100;

/** What a test or another clock puts in the place of the process's own. */
export interface JwksSurroundings {
  /** Milliseconds, never backwards. */
  now(): number;
  readonly fetch: typeof fetch;
  /** Told of each failed attempt, in words that name no address and no key. */
  onFailure(reason: string): void;
}

interface Held {
  readonly keyOf: JWTVerifyGetKey;
  readonly at: number;
}

/**
 * Reads `AUTH_JWKS_URL`.
 * @throws FieldsealError `ERR_CONFIG_INVALID` for another scheme than https, other than on this machine, or a password
 */
export function jwksUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isLoopback = url !== null && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback);
  if (!url || !isSafe || url.username !== '' || url.password !== '') {
    throw new FieldsealError(
      'ERR_CONFIG_INVALID',
      'AUTH_JWKS_URL must be an address with https://, without a user or password (http:// on this machine only).',
    );
  }
  return url;
}

/** A key set behind an address. */
export class RemoteKeys {
  readonly #url: URL;
  readonly #surroundings: JwksSurroundings;
  #held: Held | null = null;
  #attempt: Promise<void> | null = null;
  #attemptedAt = Number.NEGATIVE_INFINITY;
  #hasFailed = false;

  constructor(url: URL, surroundings: Partial<JwksSurroundings> = {}) {
    this.#url = url;
    this.#surroundings = { now: () => performance.now(), fetch, onFailure: () => {}, ...surroundings };
  }

  /**
   * The key that a token's header names. An unknown one is looked for again, once in a while.
   * @throws FieldsealError `ERR_UNAVAILABLE` while there are no keys to compare with, or the endpoint failed when an
   * unknown key was looked for; errors of jose for a key that is not in the set or has another algorithm
   */
  readonly keyOf: JWTVerifyGetKey = async (header, token) => {
    if (!this.#held || this.#age() >= REFRESH_MS) await this.#refresh();
    if (!this.#held || this.#age() >= MAX_AGE_MS) throw unavailable();
    try {
      return await this.#held.keyOf(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const before: Held = this.#held;
      await this.#refresh();
      // Whether the key is unknown, nobody can say while the endpoint does not answer.
      if (this.#hasFailed) throw unavailable();
      if (this.#held === before) throw error;
      return this.#held.keyOf(header, token);
    }
  };

  #age(): number {
    return this.#surroundings.now() - (this.#held?.at ?? Number.NEGATIVE_INFINITY);
  }

  /** One attempt at a time, and none during the cooldown. Never rejects. */
  #refresh(): Promise<void> {
    if (this.#attempt) return this.#attempt;
    const isUsable = this.#held !== null && this.#age() < MAX_AGE_MS;
    const cooldown = isUsable ? COOLDOWN_MS : EMPTY_COOLDOWN_MS;
    if (this.#surroundings.now() - this.#attemptedAt < cooldown) return Promise.resolve();
    this.#attempt = this.#fetch()
      .then(
        (set) => {
          this.#held = { keyOf: createLocalJWKSet(set), at: this.#surroundings.now() };
          this.#hasFailed = false;
        },
        (error: unknown) => {
          this.#hasFailed = true;
          this.#surroundings.onFailure(error instanceof JwksProblem ? error.message : 'it does not answer');
        },
      )
      .finally(() => {
        this.#attemptedAt = this.#surroundings.now();
        this.#attempt = null;
      });
    return this.#attempt;
  }

  async #fetch(): Promise<JSONWebKeySet> {
    const response = await this.#surroundings.fetch(this.#url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new JwksProblem(`it answers ${response.status || 'with a redirect'}`);
    }
    return publicKeys(await readBounded(response));
  }
}

class JwksProblem extends Error {}

function unavailable(): FieldsealError {
  return new FieldsealError('ERR_UNAVAILABLE', 'The keys that tokens are verified with cannot be fetched now.');
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    // Leaving the loop cancels the rest.
    if (bytes > MAX_BYTES) throw new JwksProblem(`its answer is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** The keys of a set that can verify: no shared secrets and no private keys, whoever put them there. */
function publicKeys(text: string): JSONWebKeySet {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    throw new JwksProblem('its answer is not JSON');
  }
  const keys = isObject(set) ? set['keys'] : null;
  if (!Array.isArray(keys)) throw new JwksProblem('its answer has no keys');
  if (keys.length > MAX_KEYS) throw new JwksProblem(`its answer has more than ${MAX_KEYS} keys`);
  return {
    keys: keys.filter((key) => isObject(key) && ['RSA', 'EC', 'OKP'].includes(String(key['kty'])) && !('d' in key)),
  };
}
