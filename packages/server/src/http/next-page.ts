/** Where a list goes on (RFC 8288). */
import type { FastifyRequest } from 'fastify';

/** The value of a `Link` header for the next page: the same address and parameters, with `before` as the cursor. */
export function nextPage({ url, query }: Pick<FastifyRequest, 'url' | 'query'>, limit: number, before: number): string {
  const [path] = url.split('?');
  const parameters = { limit: String(limit), ...(query as Record<string, string>), before: String(before) };
  return `<${path}?${new URLSearchParams(parameters)}>; rel="next"`;
}
