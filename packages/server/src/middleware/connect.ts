/** API keys before the routes of an Express or Connect application, whose shape is declared here and not imported. */
import { checkedScopes, decide, type RequireApiKeyOptions } from './decide.js';
import type { WithApiKey } from './fastify.js';
import type { ApiKeyVerifier } from './verifier.js';

/** What is used of a request: Node's own, which Express gives an `ip`. */
export interface ConnectRequestLike {
  readonly headers: { readonly authorization?: string | undefined };
  /** Express, as its `trust proxy` makes it. */
  readonly ip?: string | undefined;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** What is used of Node's response. */
export interface ConnectResponseLike {
  statusCode: number;
  /** Whether somebody has answered already: the application's own timeout, say. */
  readonly headersSent: boolean;
  setHeader(name: string, value: string): unknown;
  end(body: string): unknown;
}

/** Sets `req.apiKey`, or answers. */
export type ConnectApiKeyMiddleware = (
  req: ConnectRequestLike,
  res: ConnectResponseLike,
  next: (error?: unknown) => void,
) => void;

/**
 * Middleware for single routes, or for all of them.
 * @example
 * const requireApiKey = connectApiKeys(verifier);
 * app.get('/projects', requireApiKey({ scopes: ['read:projects'] }), (req, res) => …);
 */
export function connectApiKeys(verifier: ApiKeyVerifier): (options?: RequireApiKeyOptions) => ConnectApiKeyMiddleware {
  return (options = {}) => {
    const scopes = checkedScopes(options);
    return (req, res, next) => {
      const ip = req.ip ?? req.socket.remoteAddress ?? null;
      decide(verifier, scopes, req, ip).then((decision) => {
        if ('apiKey' in decision) {
          (req as WithApiKey).apiKey = decision.apiKey;
          next();
          return;
        }
        // To answer twice would throw, where nobody catches it.
        if (res.headersSent) return;
        const { status, headers, body } = decision.refusal;
        res.statusCode = status;
        for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
        res.end(body);
      }, next);
    };
  };
}
