/**
 * JSON Web Tokens (RFC 7519): under one shared secret (HS256), verified and, for operators, made; or under the public keys of
 * an identity provider (RS256, ES256, EdDSA), verified.
 */
import { FieldsealError, isFieldsealError } from 'fieldseal';
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify, SignJWT } from 'jose';
import { type JwksSurroundings, jwksUrl, RemoteKeys } from './jwks.js';
import { MANAGEMENT_SCOPES, type Principal } from './principal.js';

const ALGORITHM = 'HS256';
/** Of a key set; never HS256, for which a public key would do as the secret. */
const KEY_SET_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'];
/** RFC 7518 §3.2: at least as long as the hash. */
const MIN_SECRET_BYTES = 32;
const CLOCK_TOLERANCE_SECONDS = 30;

/** `AUTH_JWT_SECRET`, and `AUTH_ISSUER`, `AUTH_AUDIENCE` where they are set. */
export interface SharedSecretSettings {
  readonly secret: Uint8Array;
  readonly issuer: string | null;
  readonly audience: string | null;
}

/** `AUTH_JWKS_URL`, `AUTH_ISSUER`, `AUTH_AUDIENCE`. */
export interface KeySetSettings {
  readonly jwksUrl: URL;
  readonly issuer: string;
  readonly audience: string;
}

export type JwtSettings = SharedSecretSettings | KeySetSettings;

function invalid(sentence: string): FieldsealError {
  return new FieldsealError('ERR_CONFIG_INVALID', sentence);
}

/** The four variables as they stand in the environment. */
export interface JwtVariables {
  readonly secret: string | undefined;
  readonly jwksUrl: string | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

/** @throws FieldsealError `ERR_CONFIG_INVALID`, naming the variable, for a secret of less than 32 bytes, or a key set without issuer and audience */
export function jwtSettings(variables: JwtVariables): JwtSettings {
  const { secret, issuer, audience } = variables;
  if (variables.jwksUrl) {
    if (secret) throw invalid('AUTH_JWT_SECRET and AUTH_JWKS_URL are both set; tokens have one origin: leave one out.');
    // A provider signs tokens for many: without these two, any of them would do.
    for (const [name, value] of Object.entries({ AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience })) {
      if (!value) throw invalid(`${name} is not set; with AUTH_JWKS_URL it must be.`);
    }
    return { jwksUrl: jwksUrl(variables.jwksUrl), issuer: issuer as string, audience: audience as string };
  }
  const bytes = new TextEncoder().encode(secret ?? '');
  if (bytes.length < MIN_SECRET_BYTES) {
    throw invalid(
      `AUTH_JWT_SECRET ${secret ? 'is shorter than 32 bytes' : 'is not set, nor is AUTH_JWKS_URL'}; \`fieldseal keygen\` prints one that is long enough.`,
    );
  }
  return { secret: bytes, issuer: issuer || null, audience: audience || null };
}

/** What a new token says. */
export interface NewJwt {
  readonly subject: string;
  readonly isAdmin: boolean;
  readonly scopes: readonly string[];
  readonly ttlSeconds: number;
}

/**
 * Makes a token, as `fieldseal jwt` does.
 * @throws FieldsealError `ERR_CONFIG_INVALID` where tokens come from an identity provider
 */
export async function signJwt(settings: JwtSettings, token: NewJwt, nowSeconds: number): Promise<string> {
  if ('jwksUrl' in settings) {
    throw invalid(
      'A token is signed with AUTH_JWT_SECRET; with AUTH_JWKS_URL, tokens come from your identity provider.',
    );
  }
  const { secret, issuer, audience } = settings;
  const jwt = new SignJWT({
    ...(token.isAdmin && { role: 'admin' }),
    ...(token.scopes.length > 0 && { scope: token.scopes.join(' ') }),
  })
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    .setSubject(token.subject)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + token.ttlSeconds);
  if (issuer) jwt.setIssuer(issuer);
  if (audience) jwt.setAudience(audience);
  return jwt.sign(secret);
}

function scopesOf({ scope, scopes }: JWTPayload & { scope?: unknown; scopes?: unknown }): string[] {
  if (typeof scope === 'string') return scope.split(' ').filter((name) => name !== '');
  return Array.isArray(scopes) ? scopes.filter((name) => typeof name === 'string') : [];
}

/** Who a token speaks for. */
export type JwtVerifier = (token: string) => Promise<Principal>;

/**
 * Verifies tokens. Algorithms are pinned, so that `none` and a confusion of them have no way in; `exp` and `sub` must be
 * there, issuer and audience too where they are configured; clocks may differ by 30 seconds. The verifier throws
 * `ERR_UNAUTHENTICATED`, which says whether the token has expired and otherwise nothing, and `ERR_UNAVAILABLE` while the
 * identity provider's keys cannot be had.
 */
export function jwtVerifier(settings: JwtSettings, surroundings: Partial<JwksSurroundings> = {}): JwtVerifier {
  const options: JWTVerifyOptions = {
    algorithms: 'jwksUrl' in settings ? KEY_SET_ALGORITHMS : [ALGORITHM],
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    requiredClaims: ['exp', 'sub'],
    ...(settings.issuer && { issuer: settings.issuer }),
    ...(settings.audience && { audience: settings.audience }),
  };
  const keys = 'jwksUrl' in settings ? new RemoteKeys(settings.jwksUrl, surroundings) : null;
  const verified = async (token: string) => {
    if (keys) return jwtVerify(token, keys.keyOf, options);
    return jwtVerify(token, (settings as SharedSecretSettings).secret, options);
  };
  return async (token) => {
    try {
      return principalOf((await verified(token)).payload);
    } catch (error) {
      if (isFieldsealError(error)) throw error;
      const isExpired = error instanceof errors.JWTExpired;
      throw new FieldsealError('ERR_UNAUTHENTICATED', isExpired ? 'The token has expired.' : 'The token is not valid.');
    }
  };
}

/** @throws JWTInvalid for a subject that does not fit */
function principalOf(payload: JWTPayload): Principal {
  const { sub } = payload;
  // A subject is compared and stored as text, and must fit there.
  if (typeof sub !== 'string' || !/^[!-~]{1,255}$/.test(sub)) throw new errors.JWTInvalid();
  const isAdmin = payload['role'] === 'admin' || scopesOf(payload).includes('admin');
  // A token that names some of the service's own scopes may do just these; others are the application's affair.
  const management = scopesOf(payload).filter((scope) => (MANAGEMENT_SCOPES as readonly string[]).includes(scope));
  const scopes = isAdmin || management.length === 0 ? null : management;
  return { kind: 'user', subject: sub, isAdmin, scopes, apiKeyId: null };
}
