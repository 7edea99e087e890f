/** The routes of API keys: `/keys` and what stands under it. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { API_KEY_STATES } from '../../usecases/api-key-view.js';
import { createApiKey, createApiKeyOnce, NewApiKeySchema } from '../../usecases/create-api-key.js';
import { getApiKey } from '../../usecases/get-api-key.js';
import { listApiKeys } from '../../usecases/list-api-keys.js';
import { RerollSchema, rerollApiKey } from '../../usecases/reroll-api-key.js';
import { RevocationSchema, revokeApiKey } from '../../usecases/revoke-api-key.js';
import { disableApiKey, enableApiKey } from '../../usecases/switch-api-key.js';
import { ApiKeyChangeSchema, updateApiKey } from '../../usecases/update-api-key.js';
import { actorOf, emptyBody, type HttpDependencies } from '../app.js';
import {
  ApiKeyDetailsSchema,
  ApiKeySchema,
  apiKeyBody,
  apiKeyDetailsBody,
  CreatedApiKeySchema,
  listedApiKeyBody,
  ReplayedApiKeySchema,
  ReplayedRerollSchema,
  RerolledApiKeySchema,
  RevokedSchema,
  rerolledApiKeyBody,
  revokedBody,
} from '../contract.js';
import { nextPage } from '../next-page.js';

const MAX_TIME_CHARS = 40;
const Time = Type.String({ minLength: 1, maxLength: MAX_TIME_CHARS, description: 'RFC 3339' });
export const KeyPageSchema = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
    before: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'The id of the last key of the page before.',
      }),
    ),
    state: Type.Optional(Type.Enum(API_KEY_STATES)),
    prefix: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, pattern: '^[!-~]*$', description: 'A whole prefix, `pk_abc123`.' }),
    ),
    expires_before: Type.Optional(Time),
    expires_after: Type.Optional(Time),
  },
  { additionalProperties: false },
);
export const IdSchema = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) });
const NothingSchema = Type.Object({}, { additionalProperties: false });

const IdempotencySchema = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: '^[ -~]*$',
      description: 'Under the same one, a retry within 24 hours makes no second key.',
    }),
  ),
});
/** The header of an answer that repeats an earlier one. */
const REPLAYED = 'idempotency-replayed';

export async function apiKeyRoutes(scope: FastifyInstance, { service }: HttpDependencies): Promise<void> {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();

  app.post(
    '/keys',
    {
      schema: {
        summary: 'Issue an API key. The answer is the one time that it is shown.',
        headers: IdempotencySchema,
        body: NewApiKeySchema,
        response: { 200: ReplayedApiKeySchema, 201: CreatedApiKeySchema },
      },
    },
    async (request, reply) => {
      const retryKey = request.headers['idempotency-key'];
      const created =
        retryKey === undefined
          ? await createApiKey(service, request.body, undefined, actorOf(request))
          : await createApiKeyOnce(service, request.body, retryKey, undefined, actorOf(request));
      const body = apiKeyBody(created);
      if (created.key !== null) return reply.code(201).send({ ...body, key: created.key });
      return reply
        .code(200)
        .header(REPLAYED, 'true')
        .send({ ...body, key: null });
    },
  );

  app.get(
    '/keys',
    {
      schema: {
        summary:
          'List API keys, newest first: your own, or everybody’s for an admin. The next page is in the header Link.',
        querystring: KeyPageSchema,
        response: { 200: Type.Array(ApiKeySchema) },
      },
    },
    async (request, reply) => {
      const { limit = 100, before, state, prefix, expires_before, expires_after } = request.query;
      const keys = await listApiKeys(service, actorOf(request), {
        limit,
        ...(before !== undefined && { beforeId: before }),
        ...(state !== undefined && { state }),
        ...(prefix !== undefined && { prefix }),
        ...(expires_before !== undefined && { expiresBefore: expires_before }),
        ...(expires_after !== undefined && { expiresAfter: expires_after }),
      });
      const last = keys.at(-1);
      if (last && keys.length === limit) reply.header('link', nextPage(request, limit, last.id));
      return keys.map(listedApiKeyBody);
    },
  );

  app.get(
    '/keys/:id',
    {
      schema: {
        summary: 'One API key with its limits, its metadata and what became of it.',
        params: IdSchema,
        response: { 200: ApiKeyDetailsSchema },
      },
    },
    async (request) => apiKeyDetailsBody(await getApiKey(service, request.params.id, actorOf(request))),
  );

  app.patch(
    '/keys/:id',
    {
      schema: {
        summary: 'Change the name, the limits or the metadata of an API key; null takes a limit off.',
        params: IdSchema,
        body: ApiKeyChangeSchema,
        response: { 200: ApiKeyDetailsSchema },
      },
    },
    async (request) =>
      apiKeyDetailsBody(await updateApiKey(service, request.params.id, request.body, actorOf(request))),
  );

  app.post(
    '/keys/:id/reroll',
    {
      preValidation: emptyBody,
      schema: {
        summary: 'Put a new API key in the place of one, which goes on for a grace period. It is shown this once.',
        headers: IdempotencySchema,
        params: IdSchema,
        body: RerollSchema,
        response: { 200: ReplayedRerollSchema, 201: RerolledApiKeySchema },
      },
    },
    async (request, reply) => {
      const retryKey = request.headers['idempotency-key'] ?? null;
      const rerolled = await rerollApiKey(service, request.params.id, request.body, actorOf(request), retryKey);
      const body = rerolledApiKeyBody(rerolled);
      if (rerolled.key !== null) return reply.code(201).send({ ...body, key: rerolled.key });
      return reply
        .code(200)
        .header(REPLAYED, 'true')
        .send({ ...body, key: null });
    },
  );

  const control = (verb: string, summary: string, use: typeof disableApiKey) =>
    app.post(
      `/keys/:id/${verb}`,
      {
        preValidation: emptyBody,
        schema: {
          summary,
          params: IdSchema,
          body: NothingSchema,
          response: { 200: ApiKeyDetailsSchema },
        },
      },
      async (request) => apiKeyDetailsBody(await use(service, request.params.id, actorOf(request))),
    );
  control('disable', 'Take an API key out of use; it can be enabled again.', disableApiKey);
  control('enable', 'Take a disabled API key into use again.', enableApiKey);

  app.delete(
    '/keys/:id',
    {
      preValidation: emptyBody,
      schema: {
        summary: 'Revoke an API key.',
        params: IdSchema,
        body: RevocationSchema,
        response: { 200: RevokedSchema },
      },
    },
    async (request) => revokedBody(await revokeApiKey(service, request.params.id, request.body, actorOf(request))),
  );
}
