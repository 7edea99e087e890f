/** The HTTP application: Fastify with our schemas, our errors and nothing that tells of its inside. */
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type FieldsealConfig, FieldsealError } from 'fieldseal';
import type { Driver } from '../usecases/dependencies.js';
import { type JwtSettings, verifyJwt } from '../usecases/principals.js';
import { recordRefusal } from '../usecases/record-audit.js';
import type { Actor, Service } from '../usecases/service.js';
import { VerifiedTokens } from '../usecases/verified-tokens.js';
import { authenticate, originOf } from './authenticate.js';
import { metricsRoute } from './metrics-route.js';
import { observe, type Telemetry } from './observe.js';
import { describeApi } from './openapi.js';
import { probes } from './probes.js';
import { asFieldsealError, PROBLEM_TYPE, problem } from './problem.js';
import { requestIds } from './request-id.js';
import { apiKeyRoutes } from './routes/api-keys.js';
import { auditLogRoutes } from './routes/audit-logs.js';
import { auditProofRoutes } from './routes/audit-proofs.js';
import { rotationRoutes } from './routes/rotations.js';
import { verificationRoutes } from './routes/verifications.js';
import { HTTP_STATUSES } from './statuses.js';

const BODY_BYTES = 64 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
/** Refused requests of one caller that are answered as what they are; further ones are answered 429. */
const REFUSALS_PER_MINUTE = 100;
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

/** An id in the address, before it is made a number: `4.7`, `0x1` and `true` would become one. */
async function wholeId({ params }: FastifyRequest): Promise<void> {
  const { id } = params as { id?: string };
  if (id === undefined || /^[1-9]\d*$/.test(id)) return;
  throw new FieldsealError('ERR_INPUT_INVALID', 'The id in the address is not a whole number from 1 on.');
}

/** Which refusals leave an audit row. A malformed request is nobody's attempt at anything. */
const AUDITED_STATUSES: readonly number[] = [401, 403, 404, 409];

/** Builds the application; nothing listens yet. */
export async function buildApp(deps: HttpDependencies): Promise<FastifyInstance> {
  const { service, log } = deps;
  const tokens = new VerifiedTokens(
    (token) => verifyJwt(deps.jwt, token),
    (token) => service.seal.hashToken(token),
  );
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    trustProxy: deps.trustedProxies.length > 0 ? [...deps.trustedProxies] : false,
    genReqId: requestIds(deps.trustedProxies),
    return503OnClosing: true,
    // Answers to requests too broken to be routed have no body of Fastify's either.
    frameworkErrors: (error, request, reply) => {
      const known = asFieldsealError(error);
      const answer = reply as unknown as FastifyReply;
      void answer.code(HTTP_STATUSES[known.code]).type(PROBLEM_TYPE).send(problem(known, request.id));
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  app.decorateRequest('actor', null);
  observe(app, deps.telemetry, API_PREFIX);
  // Only JSON; a request without a body may say so of its nothing.
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else parseJson(request, body as string, done);
  });

  // Only refusals are limited: by caller, or by address where there is none.
  await app.register(rateLimit, { global: false });
  const countRefusal = app.createRateLimit({
    max: REFUSALS_PER_MINUTE,
    timeWindow: '1 minute',
    keyGenerator: (request) => request.actor?.principal.subject ?? request.ip,
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
    if (status === 401) reply.header('www-authenticate', 'Bearer realm="fieldseal"');
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
  app.setNotFoundHandler((request, reply) => {
    const error = new FieldsealError('ERR_NOT_FOUND', 'There is nothing at this address.');
    return reply.code(404).type(PROBLEM_TYPE).send(problem(error, request.id));
  });
  app.addHook('onResponse', async (request, reply) => {
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
  });

  await app.register(helmet, {
    contentSecurityPolicy: { directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  });
  await describeApi(app, deps.version, deps.hasDocs);
  probes(app, service, deps.isDraining);
  if (deps.metrics.enabled) metricsRoute(app, deps.telemetry.metrics, deps.metrics.token);
  await app.register(
    async (api) => {
      api.addHook('onRequest', async (request, reply) => {
        reply.header('cache-control', 'no-store');
        request.actor = await authenticate(request, reply, service, tokens);
      });
      api.addHook('preValidation', wholeId);
      // A change to a key counts here before its answer is sent; in other processes within a second.
      api.addHook('onSend', async ({ method, routeOptions: { url } }, { statusCode }) => {
        const isKeys = url?.startsWith(`${API_PREFIX}/keys`) === true && url !== `${API_PREFIX}/keys/verify`;
        // A refusal changes nothing, and strangers could have it as often as they like.
        if (isKeys && statusCode < 400 && method !== 'GET' && method !== 'HEAD') await service.verification.refresh();
      });
      for (const routes of [apiKeyRoutes, verificationRoutes, auditLogRoutes, auditProofRoutes, rotationRoutes])
        await api.register(async (scope) => routes(scope, deps));
    },
    { prefix: API_PREFIX },
  );
  return app;
}
