/** Each request as a metric and as a span, by its route's pattern: no address, no header and no body of a caller. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Metrics } from '../telemetry/metrics.js';
import type { Span, Tracing } from '../telemetry/tracing.js';
import { VERIFICATION_CODES } from '../usecases/verify-api-key.js';

/** What watches the requests. */
export interface Telemetry {
  readonly metrics: Metrics;
  readonly tracing: Tracing;
}

/** Changes that are worth a counter of their own, by the route that makes them. */
const OPERATIONS: Readonly<Record<string, string>> = {
  'POST /keys': 'api_key_created',
  'PATCH /keys/:id': 'api_key_changed',
  'DELETE /keys/:id': 'api_key_revoked',
  'POST /keys/:id/reroll': 'api_key_rerolled',
  'POST /keys/:id/disable': 'api_key_disabled',
  'POST /keys/:id/enable': 'api_key_enabled',
  'POST /rotate': 'rotation_started',
  'POST /rotations/:id/pause': 'rotation_paused',
  'POST /rotations/:id/resume': 'rotation_resumed',
  'POST /rotations/:id/cancel': 'rotation_cancelled',
  'POST /rotations/:id/fail': 'rotation_failed',
};

declare module 'fastify' {
  interface FastifyRequest {
    /** What stands for the request in a trace. */
    span: Span | null;
  }
}

/** Counts, times and traces every request. Before the routes, and before any other hook. */
export function observe(app: FastifyInstance, { metrics, tracing }: Telemetry, apiPrefix: string): void {
  app.decorateRequest('span', null);
  /** The route of the API behind its prefix; null for another one. */
  const apiRoute = ({ method, routeOptions }: FastifyRequest) =>
    routeOptions.url?.startsWith(`${apiPrefix}/`) ? `${method} ${routeOptions.url.slice(apiPrefix.length)}` : null;

  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    const route = request.routeOptions.url ?? 'unmatched';
    const attributes = {
      'http.request.method': request.method,
      'http.route': route,
      'fieldseal.request_id': request.id,
    };
    request.span = tracing.start(`${request.method} ${route}`, attributes, request.headers);
    request.span.within(done);
  });
  // Reading a body ends the context: its events belong to the connection.
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.span) request.span.within(done);
    else done();
  });
  app.addHook('preSerialization', (request, _reply, payload, done) => {
    if (apiRoute(request) === 'POST /keys/verify') {
      const { code } = (payload ?? {}) as { code?: unknown };
      if ((VERIFICATION_CODES as readonly unknown[]).includes(code)) metrics.verification(code as string);
    }
    done(null, payload);
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions } = request;
    const status = reply.statusCode;
    metrics.request({ method, route: routeOptions.url ?? null, status, seconds: reply.elapsedTime / 1000 });
    const route = apiRoute(request);
    if (route !== null) {
      const operation = OPERATIONS[route];
      // A replay changed nothing.
      const isReplay = reply.hasHeader('idempotency-replayed');
      if (operation !== undefined && status < 300 && !isReplay) metrics.operation(operation);
      const kind = request.actor?.principal.kind;
      const credential = kind === undefined ? 'none' : kind === 'api_key' ? 'api_key' : 'jwt';
      if (kind !== undefined || status === 401) metrics.authentication(credential, kind ? 'accepted' : 'refused');
    }
    request.span?.set({ 'http.response.status_code': status });
    request.span?.end(status >= 500);
    done();
  });
}
