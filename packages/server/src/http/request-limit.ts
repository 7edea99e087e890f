/** How many requests of one caller are answered in a minute. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { FieldsealError } from 'fieldseal';

/** Whom a request counts for: its subject, or its address where it has no valid credentials. */
export function callerOf({ actor, ip }: Pick<FastifyRequest, 'actor' | 'ip'>): string {
  return actor ? `subject ${actor.principal.subject}` : `address ${network(ip)}`;
}

/** An IPv4 address; of IPv6 the /64, within which one machine may choose as it likes. */
function network(ip: string): string {
  const mapped = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(ip)?.[1];
  if (mapped || !ip.includes(':')) return mapped ?? ip;
  const [head = '', tail] = ip.split('::');
  const groups = (part: string) => part.split(':').filter((group) => group !== '');
  const last = groups(tail ?? '');
  const missing = tail === undefined ? 0 : 8 - groups(head).length - last.length;
  const all = [...groups(head), ...new Array<string>(Math.max(0, missing)).fill('0'), ...last];
  return all.slice(0, 4).join(':');
}

/** Counts a request and says in the answer's headers what is left. */
export type RequestLimit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * A limit in fixed windows of a minute, in this process; `@fastify/rate-limit` must be registered. 0: no limit.
 * The limit throws FieldsealError `ERR_RATE_LIMITED`.
 */
export function requestLimit(app: FastifyInstance, perMinute: number): RequestLimit {
  if (perMinute === 0) return async () => {};
  const count = app.createRateLimit({ max: perMinute, timeWindow: '1 minute', keyGenerator: callerOf });
  return async (request, reply) => {
    const limit = await count(request);
    if (limit.isAllowed) return;
    // draft-ietf-httpapi-ratelimit-headers-06: the reset in seconds from now.
    reply.header('ratelimit-limit', limit.max);
    reply.header('ratelimit-remaining', limit.remaining);
    reply.header('ratelimit-reset', limit.ttlInSeconds);
    if (!limit.isExceeded) return;
    reply.header('retry-after', String(limit.ttlInSeconds));
    throw new FieldsealError('ERR_RATE_LIMITED', 'Too many requests; wait as long as Retry-After says.');
  };
}
