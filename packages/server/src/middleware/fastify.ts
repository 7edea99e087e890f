/** API keys before the routes of a Fastify application, whose shape is declared here and not imported. */
import { checkedScopes, decide, type RequestApiKey, type RequireApiKeyOptions } from './decide.js';
import type { ApiKeyVerifier } from './verifier.js';

/** What is used of a Fastify request. */
export interface FastifyRequestLike {
  readonly headers: { readonly authorization?: string | undefined };
  /** As `trustProxy` of the application makes it. */
  readonly ip: string;
}

/** What is used of a Fastify reply. */
export interface FastifyReplyLike {
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  send(body: string): unknown;
}

/** What is used of a Fastify application. */
export interface FastifyLike {
  hasRequestDecorator(name: 'apiKey'): boolean;
  decorateRequest(name: 'apiKey', value: null): unknown;
  addHook(name: 'onRequest', hook: FastifyApiKeyHook): unknown;
}

/** Sets `request.apiKey`, or answers. */
export type FastifyApiKeyHook = (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<unknown>;

/** A request behind the hook. */
export interface WithApiKey {
  apiKey?: RequestApiKey;
}

/**
 * Hooks for single routes: `onRequest`, which comes before the body is read, or `preHandler`.
 * @example
 * const requireApiKey = fastifyApiKeys(verifier);
 * app.get('/projects', { onRequest: requireApiKey({ scopes: ['read:projects'] }) }, async (request) => …);
 */
export function fastifyApiKeys(verifier: ApiKeyVerifier): (options?: RequireApiKeyOptions) => FastifyApiKeyHook {
  return (options = {}) => {
    const scopes = checkedScopes(options);
    return async (request, reply) => {
      const decision = await decide(verifier, scopes, request, request.ip);
      if ('apiKey' in decision) {
        (request as WithApiKey).apiKey = decision.apiKey;
        return undefined;
      }
      const { status, headers, body } = decision.refusal;
      reply.code(status);
      reply.headers({ ...headers });
      reply.send(body);
      return reply;
    };
  };
}

/**
 * A plugin that guards every route of the scope that it is registered in, and of those below it.
 * @example
 * await app.register(apiKeyPlugin, { verifier, scopes: ['read:projects'] });
 */
export async function apiKeyPlugin(
  app: FastifyLike,
  { verifier, ...options }: RequireApiKeyOptions & { readonly verifier: ApiKeyVerifier },
): Promise<void> {
  if (!app.hasRequestDecorator('apiKey')) app.decorateRequest('apiKey', null);
  app.addHook('onRequest', fastifyApiKeys(verifier)(options));
}
// Fastify's marks: the hook belongs to the scope around the plugin, under this name.
Object.assign(apiKeyPlugin, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'fieldseal-api-keys',
});
