/** JSON Web Tokens under one shared secret (HS256, RFC 7519), verified and, for operators, made. */
import { FieldsealError } from 'fieldseal';
import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { MANAGEMENT_SCOPES, type Principal } from './principal.js';

const ALGORITHM = 'HS256';
/** RFC 7518 §3.2: at least as long as the hash. */
const MIN_SECRET_BYTES = 32;
const CLOCK_TOLERANCE_SECONDS = 30;

/** `AUTH_JWT_SECRET`, `AUTH_ISSUER`, `AUTH_AUDIENCE`. */
export interface JwtSettings {
  readonly secret: Uint8Array;
  readonly issuer: string | null;
  readonly audience: string | null;
}

/** @throws FieldsealError `ERR_CONFIG_INVALID` for a secret of less than 32 bytes */
export function jwtSettings(
  secret: string | undefined,
  issuer: string | undefined,
  audience: string | undefined,
): JwtSettings {
  const bytes = new TextEncoder().encode(secret ?? '');
  if (bytes.length < MIN_SECRET_BYTES) {
    throw new FieldsealError(
      'ERR_CONFIG_INVALID',
      `AUTH_JWT_SECRET ${secret ? 'is shorter than 32 bytes' : 'is not set'}; \`fieldseal keygen\` prints one that is long enough.`,
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

/** Makes a token, as `fieldseal jwt` does. */
export async function signJwt(
  { secret, issuer, audience }: JwtSettings,
  token: NewJwt,
  nowSeconds: number,
): Promise<string> {
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

/**
 * Who a token speaks for. Only HS256 is accepted, so that `none` and a confusion of algorithms have no way in; `exp` and
 * `sub` must be there, issuer and audience too where they are configured.
 * @throws FieldsealError `ERR_UNAUTHENTICATED`; it says whether the token has expired, and otherwise nothing
 */
export async function verifyJwt({ secret, issuer, audience }: JwtSettings, token: string): Promise<Principal> {
  try {
    const { payload } = await jwtVerify(token, secret, {
      algorithms: [ALGORITHM],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp', 'sub'],
      ...(issuer && { issuer }),
      ...(audience && { audience }),
    });
    const { sub } = payload;
    // A subject is compared and stored as text, and must fit there.
    if (typeof sub !== 'string' || !/^[!-~]{1,255}$/.test(sub)) throw new errors.JWTInvalid();
    const isAdmin = payload['role'] === 'admin' || scopesOf(payload).includes('admin');
    // A token that names some of the service's own scopes may do just these; others are the application's affair.
    const management = scopesOf(payload).filter((scope) => (MANAGEMENT_SCOPES as readonly string[]).includes(scope));
    const scopes = isAdmin || management.length === 0 ? null : management;
    return { kind: 'user', subject: sub, isAdmin, scopes, apiKeyId: null };
  } catch (error) {
    const isExpired = error instanceof errors.JWTExpired;
    throw new FieldsealError('ERR_UNAUTHENTICATED', isExpired ? 'The token has expired.' : 'The token is not valid.');
  }
}
