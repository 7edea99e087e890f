/** `@fieldseal/server/middleware`: an application's own routes, protected by the service's API keys. */
export { type ConnectApiKeyMiddleware, connectApiKeys } from './connect.js';
export type { RequestApiKey, RequireApiKeyOptions } from './decide.js';
export { apiKeyPlugin, type FastifyApiKeyHook, fastifyApiKeys, type WithApiKey } from './fastify.js';
export {
  type ApiKeyVerdict,
  type ApiKeyVerifier,
  type ApiKeyVerifierOptions,
  createApiKeyVerifier,
  type PresentedKey,
  type RateLimitState,
  type VerificationCode,
} from './verifier.js';
