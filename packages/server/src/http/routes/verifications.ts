/** `POST /keys/verify`. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { type RateLimitState, VerificationSchema, verifyApiKey } from '../../usecases/verify-api-key.js';
import { actorOf, type HttpDependencies } from '../app.js';
import { VerdictSchema, verdictBody } from '../contract.js';

/** The fields of draft-ietf-httpapi-ratelimit-headers-10, as structured fields. */
function rateLimitHeaders({ limit, windowSeconds, remaining, resetSeconds }: RateLimitState): Record<string, string> {
  return {
    'ratelimit-policy': `"api-key";q=${limit};w=${windowSeconds}`,
    ratelimit: `"api-key";r=${remaining};t=${resetSeconds}`,
  };
}

export async function verificationRoutes(scope: FastifyInstance, { service }: HttpDependencies): Promise<void> {
  scope.withTypeProvider<TypeBoxTypeProvider>().post(
    '/keys/verify',
    {
      // Asked for most often: the body is made field by field, and a compiled schema would only check its times again.
      serializerCompiler: () => (body) => JSON.stringify(body),
      schema: {
        summary: 'Whether an API key is valid, whose it is and what it may do. Counts as a use of it.',
        body: VerificationSchema,
        response: { 200: VerdictSchema },
      },
    },
    async (request, reply) => {
      const verdict = await verifyApiKey(service, request.body, actorOf(request));
      const { code, rateLimit } = verdict;
      if (rateLimit) reply.headers(rateLimitHeaders(rateLimit));
      if (rateLimit && code === 'RATE_LIMITED') reply.header('retry-after', String(rateLimit.resetSeconds));
      return verdictBody(verdict);
    },
  );
}
