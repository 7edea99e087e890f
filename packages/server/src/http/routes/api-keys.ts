/** `POST /keys`, `GET /keys`, `DELETE /keys/:id`. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { createApiKey, NewApiKeySchema } from '../../usecases/create-api-key.js';
import { listApiKeys } from '../../usecases/list-api-keys.js';
import { RevocationSchema, revokeApiKey } from '../../usecases/revoke-api-key.js';
import { API_PREFIX, actorOf, emptyBody, type HttpDependencies } from '../app.js';
import {
  ApiKeySchema,
  apiKeyBody,
  CreatedApiKeySchema,
  listedApiKeyBody,
  RevokedSchema,
  revokedBody,
} from '../contract.js';
import { ProblemSchema } from '../problem.js';

const Page = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 500, default: 100 }),
    before: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'The id of the last key of the page before.',
      }),
    ),
  },
  { additionalProperties: false },
);
export const IdSchema = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) });

export async function apiKeyRoutes(scope: FastifyInstance, { service }: HttpDependencies): Promise<void> {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();

  app.post(
    '/keys',
    {
      schema: {
        summary: 'Issue an API key. The answer is the one time that it is shown.',
        body: NewApiKeySchema,
        response: { 201: CreatedApiKeySchema, '4xx': ProblemSchema, '5xx': ProblemSchema },
      },
    },
    async (request, reply) => {
      const created = await createApiKey(service, request.body, undefined, actorOf(request));
      return reply.code(201).send({ ...apiKeyBody(created), key: created.key });
    },
  );

  app.get(
    '/keys',
    {
      schema: {
        summary: 'List API keys, newest first: your own, or everybody’s for an admin. The next page is in `Link`.',
        querystring: Type.Partial(Page, { additionalProperties: false }),
        response: { 200: Type.Array(ApiKeySchema), '4xx': ProblemSchema, '5xx': ProblemSchema },
      },
    },
    async (request, reply) => {
      const { limit = 100, before } = request.query;
      const keys = await listApiKeys(service, actorOf(request), {
        limit,
        ...(before !== undefined && { beforeId: before }),
      });
      const last = keys.at(-1);
      if (last && keys.length === limit)
        reply.header('link', `<${API_PREFIX}/keys?limit=${limit}&before=${last.id}>; rel="next"`);
      return keys.map(listedApiKeyBody);
    },
  );

  app.delete(
    '/keys/:id',
    {
      preValidation: emptyBody,
      schema: {
        summary: 'Revoke an API key.',
        params: IdSchema,
        body: RevocationSchema,
        response: { 200: RevokedSchema, '4xx': ProblemSchema, '5xx': ProblemSchema },
      },
    },
    async (request) => revokedBody(await revokeApiKey(service, request.params.id, request.body, actorOf(request))),
  );
}
