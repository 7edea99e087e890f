/** From a request's headers to its API key, or to the answer that refuses it (RFC 6750 §3, RFC 9457). */
import { isFieldsealError } from 'fieldseal';
import type { ApiKeyVerdict, ApiKeyVerifier } from './verifier.js';

/** Whose key a request carries. */
export interface RequestApiKey {
  readonly keyId: number;
  /** The owner. */
  readonly userId: string;
  readonly scopes: readonly string[];
}

/** What a route wants. */
export interface RequireApiKeyOptions {
  /** The scopes that the key must have, all of them. */
  readonly scopes?: readonly string[];
}

/** An answer that ends the request. */
export interface Refusal {
  readonly status: 401 | 403 | 429 | 503;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON of an `application/problem+json`. */
  readonly body: string;
}

export type Decision = { readonly apiKey: RequestApiKey } | { readonly refusal: Refusal };

const TITLES = { 401: 'Unauthorized', 403: 'Forbidden', 429: 'Too Many Requests', 503: 'Service Unavailable' } as const;

function refuse(
  status: Refusal['status'],
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Decision {
  const body = JSON.stringify({ type: 'about:blank', title: TITLES[status], status, code, detail });
  const common = { 'content-type': 'application/problem+json; charset=utf-8', 'cache-control': 'no-store' };
  return { refusal: { status, headers: { ...common, ...headers }, body } };
}

const INVALID = 'Bearer error="invalid_token"';

function insufficient(scopes: readonly string[]): Decision {
  return refuse(403, 'INSUFFICIENT_SCOPE', `The API key needs ${scopes.join(', ')}.`, {
    'www-authenticate': `Bearer error="insufficient_scope", scope="${scopes.join(' ')}"`,
  });
}

function refusalOf({ code, rateLimit }: ApiKeyVerdict, scopes: readonly string[]): Decision {
  switch (code) {
    case 'INSUFFICIENT_SCOPE':
      return insufficient(scopes);
    case 'FORBIDDEN_IP':
      return refuse(403, code, 'The API key may not be used from this address.');
    case 'RATE_LIMITED':
      return refuse(429, code, 'The API key is used too often; wait until Retry-After is over.', {
        'retry-after': String(rateLimit?.resetSeconds ?? 1),
      });
    case 'QUOTA_EXCEEDED':
      return refuse(429, code, 'The quota of the API key is used up.');
    default:
      // Which of them it is, is its owner's business.
      return refuse(401, 'INVALID_KEY', 'The API key is not valid.', { 'www-authenticate': INVALID });
  }
}

/** Checks what a route is declared with: a scope goes into a header between quotes. @throws TypeError */
export function checkedScopes({ scopes = [] }: RequireApiKeyOptions): readonly string[] {
  for (const scope of scopes) {
    // RFC 6750 §3: %x21 / %x23-5B / %x5D-7E; and a comma ends a scope where scopes are kept.
    if (!/^[!#-+\-.-[\]-~]+$/.test(scope))
      throw new TypeError('A scope is printable ASCII without spaces, commas, " and \\');
  }
  return [...scopes];
}

/** One request is one use of its key, however many hooks it passes. */
const decided = new WeakMap<object, { readonly verifier: ApiKeyVerifier; readonly apiKey: RequestApiKey }>();

/** What is looked at of a request. */
export interface RequestLike {
  readonly headers: { readonly authorization?: string | undefined };
}

/** @param ip where the request comes from, as the framework tells it */
export async function decide(
  verifier: ApiKeyVerifier,
  scopes: readonly string[],
  request: RequestLike,
  ip: string | null,
): Promise<Decision> {
  const before = decided.get(request);
  if (before?.verifier === verifier) {
    const { apiKey } = before;
    return scopes.every((scope) => apiKey.scopes.includes(scope)) ? { apiKey } : insufficient(scopes);
  }
  const { authorization } = request.headers;
  const key = /^Bearer +([!-~]+) *$/i.exec(authorization ?? '')?.[1];
  if (key === undefined || key.length > 1024) {
    return refuse(401, 'MISSING_KEY', 'Send Authorization: Bearer with an API key.', { 'www-authenticate': 'Bearer' });
  }
  let verdict: ApiKeyVerdict;
  try {
    verdict = await verifier.verify({ key, scopes, ip });
  } catch (error) {
    // Whatever it is, nobody gets in; what is no fault of ours to know is the application's to see.
    if (!isFieldsealError(error)) throw error;
    return refuse(503, 'UNAVAILABLE', 'API keys cannot be verified now; try again in a moment.', {
      'retry-after': '1',
    });
  }
  if (!verdict.valid) return refusalOf(verdict, scopes);
  const { keyId, userId, scopes: granted } = verdict;
  const apiKey = { keyId: keyId as number, userId: userId as string, scopes: granted as readonly string[] };
  decided.set(request, { verifier, apiKey });
  return { apiKey };
}
