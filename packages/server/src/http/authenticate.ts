/** Bearer authentication: a JWT, or one of the service's own API keys. */

import type { FastifyReply, FastifyRequest } from 'fastify';
import { FieldsealError } from 'fieldseal';
import { authenticateApiKey } from '../usecases/authenticate-api-key.js';
import type { Actor, Service } from '../usecases/service.js';
import type { VerifiedTokens } from '../usecases/verified-tokens.js';
import { misplacedCredentials } from './challenge.js';

/** Where a request comes from, as audit rows say it. */
export function originOf(request: FastifyRequest): Omit<Actor, 'principal'> {
  // A header is the caller's own text: printable, and not longer than anybody needs.
  const agent = request.headers['user-agent']?.replace(/[^ -~]/g, '?').slice(0, 255) ?? null;
  return { ipAddress: request.ip, requestId: request.id, userAgent: agent };
}

/** The token or key of a request; null when it has none. */
function credentialsOf({ headers }: FastifyRequest): string | null {
  return /^Bearer +([!-~]+)$/i.exec(headers.authorization ?? '')?.[1] ?? null;
}

/** Whether the request came with what should be a token or a key. */
export function hasCredentials(request: FastifyRequest): boolean {
  return credentialsOf(request) !== null;
}

/**
 * Who makes the request.
 * @throws FieldsealError `ERR_UNAUTHENTICATED`; `ERR_INPUT_INVALID` for credentials that are there twice; `ERR_UNAVAILABLE`; for an API key
 * also `ERR_FORBIDDEN` and `ERR_RATE_LIMITED`
 */
export async function authenticate(
  request: FastifyRequest,
  reply: FastifyReply,
  service: Service,
  tokens: VerifiedTokens,
): Promise<Actor> {
  // Node keeps the first of two and says nothing; a proxy in front may have looked at the other.
  const { rawHeaders } = request.raw;
  const headers = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'authorization');
  if (headers.length > 1) throw misplacedCredentials('The header Authorization is there twice.');
  const credentials = credentialsOf(request);
  if (!credentials) {
    throw new FieldsealError('ERR_UNAUTHENTICATED', 'Send Authorization: Bearer with a token or an API key.');
  }
  // Three parts and two dots are a JWT; an API key has none.
  const isJwt = credentials.split('.').length === 3;
  const onWait = (seconds: number) => void reply.header('retry-after', String(seconds));
  const principal = isJwt
    ? await tokens.verify(credentials)
    : await authenticateApiKey(service, credentials, request.ip, onWait);
  return { principal, ...originOf(request) };
}
