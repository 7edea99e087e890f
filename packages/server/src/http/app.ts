/** The HTTP application: Fastify with our schemas, our errors and nothing that tells of its inside. */
import cors from '@fastify/cors';
import rateLimit from '@fastify/rate-limit';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type FieldsealConfig, FieldsealError } from 'fieldseal';
import type { Driver } from '../usecases/dependencies.js';
import { type JwtSettings, jwtVerifier } from '../usecases/principals.js';
import { recordRefusal } from '../usecases/record-audit.js';
import type { Actor, Service } from '../usecases/service.js';
import { VerifiedTokens } from '../usecases/verified-tokens.js';
import { allowedMethods } from './allowed-methods.js';
import { authenticate, hasCredentials, originOf } from './authenticate.js';
import { challengeOf } from './challenge.js';
import { checkHeads } from './check-heads.js';
import { assertNoCredentials } from './credentials-in-address.js';
import { assertReadable } from './media-type.js';
import { metricsRoute } from './metrics-route.js';
import { observe, type Telemetry } from './observe.js';
import { describeApi } from './openapi.js';
import { probes } from './probes.js';
import { asFieldsealError, PROBLEM_TYPE, problem } from './problem.js';
import { describeRefusals } from './problem-responses.js';
import { requestIds } from './request-id.js';
import { callerOf, requestLimit } from './request-limit.js';
import { apiKeyRoutes } from './routes/api-keys.js';
import { auditLogRoutes } from './routes/audit-logs.js';
import { auditProofRoutes } from './routes/audit-proofs.js';
import { rotationRoutes } from './routes/rotations.js';
import { verificationRoutes } from './routes/verifications.js';
import { SAFE_HEADERS } from './safe-headers.js';
import { sendTogether } from './send-together.js';
import { answerSocketError } from './socket-errors.js';
import { HTTP_STATUSES } from './statuses.js';
import { strictJsonError, utf8Text } from './strict-json.js';
import { validatorCompiler } from './validator.js';

const BODY_BYTES = 64 * 1024;
/** The address and all headers. */
const HEADER_BYTES = 16 * 1024;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** A connection on which nothing moves so long is closed. */
const IDLE_TIMEOUT_MS = 120_000;
const MAX_CONNECTIONS = 10_000;
/** Refused requests of one caller that leave an audit row; further ones are answered 429. */
const REFUSALS_PER_MINUTE = 100;
const REQUESTS_PER_MINUTE = 6000;
export const API_PREFIX = '/api/encryption';

/** What the composition root hands over. */
export interface HttpDependencies {
  readonly version: string;
  readonly service: Service;
  readonly jwt: JwtSettings;
  readonly driver: Driver;
  readonly rotationKeys: FieldsealConfig['keys'];
  /** Whose `X-Forwarded-For` is believed: addresses or networks. */
  readonly trustedProxies: readonly string[];
  readonly telemetry: Telemetry;
  /** Who may read `/metrics`: whoever sends `token`, or (null) this machine; `enabled` false: nobody. */
  readonly metrics: { readonly enabled: boolean; readonly token: string | null };
  readonly hasDocs: boolean;
  /** Whether the process was asked to end. */
  isDraining(): boolean;
  /** Origins whose pages may call the service; none when left out. */
  readonly corsOrigins?: readonly string[];
  readonly limits?: {
    /** Requests of one caller; 0: as many as it likes. 6000 when left out. */
    readonly requestsPerMinute?: number;
    /** Refused requests of one caller that leave an audit row. 100 when left out. */
    readonly refusalsPerMinute?: number;
  };
  /** Called with the id of each rotation that is committed or resumed, to have it driven. */
  onRotation(id: number): void;
  /** Writes one line of the log. */
  log(line: Readonly<Record<string, unknown>>): void;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on every route under the API's prefix. */
    actor: Actor | null;
  }
}

/** The caller of an authenticated route. */
export function actorOf(request: { readonly actor: Actor | null }): Actor {
  if (!request.actor)
    throw new FieldsealError('ERR_UNAUTHENTICATED', 'Send Authorization: Bearer with a token or an API key.');
  return request.actor;
}

/** For routes whose body may be left out. */
export async function emptyBody(request: FastifyRequest): Promise<void> {
  request.body ??= {};
}

/** Which refusals leave an audit row. A malformed request is nobody's attempt at anything. */
const AUDITED_STATUSES: readonly number[] = [401, 403, 404, 409];

/** For services that verify their own callers' keys, as often as they are called themselves. */
const UNLIMITED_ROUTES = [`${API_PREFIX}/keys/verify`];

/** Builds the application; nothing listens yet. */
export async function buildApp(deps: HttpDependencies): Promise<FastifyInstance> {
  const { service, log } = deps;
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: IDLE_TIMEOUT_MS,
    // `checkHeads` asks for the host.
    http: { maxHeaderSize: HEADER_BYTES, headersTimeout: HEADERS_TIMEOUT_MS, requireHostHeader: false },
    trustProxy: deps.trustedProxies.length > 0 ? [...deps.trustedProxies] : false,
    genReqId: requestIds(deps.trustedProxies),
    // Ours says the same as a problem, below.
    return503OnClosing: false,
    clientErrorHandler: answerSocketError,
    // Answers to requests too broken to be routed have no body of Fastify's either.
    frameworkErrors: (error, request, reply) => {
      const known = asFieldsealError(error);
      const answer = reply as unknown as FastifyReply;
      answer.headers(SAFE_HEADERS).header('x-request-id', request.id);
      void answer.code(HTTP_STATUSES[known.code]).type(PROBLEM_TYPE).send(problem(known, request.id));
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.server.maxConnections = MAX_CONNECTIONS;
  app.setValidatorCompiler(validatorCompiler);
  app.decorateRequest('actor', null);
  // Before whatever may refuse a request. Routes whose answers may be kept say so themselves.
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(SAFE_HEADERS);
    done();
  });
  observe(app, deps.telemetry, API_PREFIX);
  checkHeads(app);
  const verifyJwt = jwtVerifier(deps.jwt, {
    onFailure: (reason) => log({ level: 'warn', event: 'jwks_not_fetched', reason }),
  });
  const tokens = new VerifiedTokens(verifyJwt, (token) => service.seal.hashToken(token));
  // Only JSON; a request without a body may say so of its nothing.
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const text = utf8Text(body as Buffer);
    if (text === '') return done(null, undefined);
    parseJson(request, text, (error, value) => {
      const fault = error ?? strictJsonError(text);
      if (fault) done(fault);
      else done(null, value);
    });
  });
  app.addHook('preParsing', (request, _reply, payload, done) => {
    assertReadable(request);
    done(null, payload);
  });

  await app.register(rateLimit, { global: false });
  const limitRequests = requestLimit(app, deps.limits?.requestsPerMinute ?? REQUESTS_PER_MINUTE);
  // Refusals apart, since each leaves an audit row.
  const countRefusal = app.createRateLimit({
    max: deps.limits?.refusalsPerMinute ?? REFUSALS_PER_MINUTE,
    timeWindow: '1 minute',
    keyGenerator: callerOf,
  });

  app.setErrorHandler(async (error, request, reply) => {
    let known = asFieldsealError(error);
    const isApi = request.routeOptions.url?.startsWith(API_PREFIX) === true;
    if (isApi && AUDITED_STATUSES.includes(HTTP_STATUSES[known.code])) {
      const refusal = {
        method: request.method,
        route: request.routeOptions.url ?? '',
        from: originOf(request),
      };
      try {
        const limit = await countRefusal(request);
        if (!limit.isAllowed && limit.isExceeded) {
          reply.header('retry-after', String(limit.ttlInSeconds));
          known = new FieldsealError('ERR_RATE_LIMITED', 'Too many refused requests; wait a minute.');
        }
        await recordRefusal(service, request.actor, { ...refusal, code: known.code });
      } catch (failure) {
        known = asFieldsealError(failure);
      }
    }
    const status = HTTP_STATUSES[known.code];
    const challenge = challengeOf(known, hasCredentials(request));
    if (challenge) reply.header('www-authenticate', challenge);
    if (status === 503) reply.header('retry-after', '1');
    if (status >= 500) {
      const { name, code, stack } = error as Error & { code?: string };
      // Where it happened, not what was thrown: messages of drivers and parsers quote what they were given.
      const frames = stack
        ?.split('\n')
        .filter((line) => /^\s+at /.test(line))
        .slice(0, 8)
        .map((line) => line.trim());
      log({ level: 'error', event: 'request_failed', requestId: request.id, name, code, frames });
    }
    return reply.code(status).type(PROBLEM_TYPE).send(problem(known, request.id));
  });
  // Before the hooks that refuse, so that its pages may read refusals as well; behind the error handler, which its route would lack.
  if (deps.corsOrigins && deps.corsOrigins.length > 0) await allowOrigins(app, deps.corsOrigins);
  const methodsOf = allowedMethods(app);
  app.setNotFoundHandler(async (request, reply) => {
    await limitRequests(request, reply);
    const methods = methodsOf(request.url);
    if (methods.length > 0) reply.header('allow', methods.join(', '));
    if (methods.length > 0 && request.method === 'OPTIONS') return reply.code(204).send();
    if (methods.length > 0) throw new FieldsealError('ERR_METHOD', 'This address has other methods; see Allow.');
    throw new FieldsealError('ERR_NOT_FOUND', 'There is nothing at this address.');
  });
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onRequest', (request, _reply, done) => {
    if (isClosing) throw new FieldsealError('ERR_UNAVAILABLE', 'The service is ending.');
    assertNoCredentials(request);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions, id } = request;
    const ms = Math.round(reply.elapsedTime * 10) / 10;
    log({
      level: 'info',
      event: 'request',
      requestId: id,
      method,
      route: routeOptions.url ?? null,
      status: reply.statusCode,
      ms,
    });
    done();
  });

  await describeApi(app, deps.version, deps.hasDocs);
  probes(app, service, deps.isDraining);
  if (deps.metrics.enabled) metricsRoute(app, deps.telemetry.metrics, deps.metrics.token);
  await app.register(
    async (api) => {
      api.addHook('onRoute', describeRefusals);
      api.addHook('onRequest', async (request, reply) => {
        try {
          request.actor = await authenticate(request, reply, service, tokens);
        } finally {
          const isUnlimited = request.actor && UNLIMITED_ROUTES.includes(request.routeOptions.url ?? '');
          if (!isUnlimited) await limitRequests(request, reply);
        }
      });
      // A change to a key counts here before its answer is sent; in other processes within a second.
      api.addHook('onSend', ({ method, routeOptions: { url } }, { statusCode }, payload, done) => {
        const isKeys = url?.startsWith(`${API_PREFIX}/keys`) === true && url !== `${API_PREFIX}/keys/verify`;
        // What was known is forgotten at once; an answer with a new key does not wait for a poll, which may hang on a lost connection.
        // A refusal changes nothing, and strangers could have it as often as they like.
        if (isKeys && statusCode < 400 && method !== 'GET' && method !== 'HEAD') void service.verification.refresh();
        done(null, payload);
      });
      api.addHook('onSend', sendTogether());
      for (const [tag, routes] of [
        ['API keys', apiKeyRoutes],
        ['API keys', verificationRoutes],
        ['Audit log', auditLogRoutes],
        ['Audit log', auditProofRoutes],
        ['Rotation', rotationRoutes],
      ] as const) {
        await api.register(async (scope) => {
          scope.addHook('onRoute', (route) => {
            route.schema = { ...route.schema, tags: [tag] };
          });
          await routes(scope, deps);
        });
      }
    },
    { prefix: API_PREFIX },
  );
  return app;
}

/** Pages of these origins may call the service, with a token that they hold; cookies play no part. */
async function allowOrigins(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  await app.register(cors, {
    origin: [...origins],
    methods: ['GET', 'POST', 'PATCH', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key'],
    exposedHeaders: [
      'Link',
      'Retry-After',
      'Idempotency-Replayed',
      'X-Request-Id',
      'RateLimit-Limit',
      'RateLimit-Remaining',
      'RateLimit-Reset',
      'WWW-Authenticate',
    ],
    maxAge: 600,
    strictPreflight: false,
  });
}
