/** `GET /metrics`, for whoever may read it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { FieldsealError, KeyedHash, Secret } from 'fieldseal';
import type { Metrics } from '../telemetry/metrics.js';

/** Headers of a proxy: a request with one comes from somewhere else, whatever address it has. */
const FORWARDED = ['x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'forwarded', 'via'];

/** Names of this machine: another one is that of a page that had its name lead here, or of a proxy that passes names on. */
const LOCAL_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/** The peer is this machine itself, and means it. */
function isLocal({ socket, headers }: FastifyRequest): boolean {
  const address = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  const isHere = (address === '::1' || address.startsWith('127.')) && LOCAL_HOST.test(headers.host ?? '');
  return isHere && !FORWARDED.some((name) => headers[name] !== undefined);
}

/**
 * Adds `/metrics`.
 * @param token what its readers send as `Authorization: Bearer`; null: only this machine may read, and without one
 */
export function metricsRoute(app: FastifyInstance, metrics: Metrics, token: string | null): void {
  const hash = new KeyedHash(Secret.random(32), 'metrics-token/1');
  const expected = token === null ? null : hash.hash(token);
  app.get('/metrics', { schema: { hide: true } }, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    if (expected === null) {
      if (!isLocal(request)) throw new FieldsealError('ERR_NOT_FOUND', 'There is nothing at this address.');
    } else {
      const given = /^Bearer +([!-~]+)$/i.exec(request.headers.authorization ?? '')?.[1];
      if (given === undefined || !hash.matches(expected, given))
        throw new FieldsealError('ERR_UNAUTHENTICATED', 'Send Authorization: Bearer with METRICS_TOKEN.');
    }
    return reply.type(metrics.contentType).send(await metrics.text());
  });
}
