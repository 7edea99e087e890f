/** What the description of the API says of refusals: which statuses an operation has, and that each answers a problem. */
import type { RouteOptions } from 'fastify';
import { PROBLEM_TYPE, ProblemSchema } from './problem.js';

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  400: 'The request is malformed; `detail` names the field and the rule.',
  401: 'No credentials, or none that are valid (any more).',
  403: 'The caller lacks the role or the scope.',
  404: 'There is no such thing, or it is not the caller’s.',
  409: 'What is asked for does not fit the state that things are in.',
  413: 'The body is too large.',
  415: 'The body is not JSON in UTF-8.',
  422: 'The `Idempotency-Key` came with another request before.',
  429: 'Too many requests, or too many refused ones; `Retry-After` says how long to wait.',
  500: 'The service failed.',
  503: 'The service cannot answer now; `Retry-After` says how long to wait.',
};

function problemResponse(description: string) {
  return { description, content: { [PROBLEM_TYPE]: { schema: ProblemSchema } } };
}

/** Every operation has these. */
const ALWAYS = [400, 401, 403, 429, 500, 503];
const WITH_BODY = [413, 415];

/** The responses of refusals of an operation; `statuses` are those beside the ones that every operation has. */
export function problemResponses(...statuses: number[]) {
  return Object.fromEntries(
    statuses.map((status) => [status, problemResponse(DESCRIPTIONS[status] ?? 'The request is refused.')]),
  );
}

function statusesOf({ method, url, schema }: RouteOptions): number[] {
  const reads = [method].flat().every((name) => name === 'GET' || name === 'HEAD');
  // The one header that requests are checked for is `Idempotency-Key`.
  return [
    ...ALWAYS,
    ...(schema?.body ? WITH_BODY : []),
    ...(schema?.headers ? [422] : []),
    ...(url.includes(':') ? [404] : []),
    ...(reads ? [] : [409]),
  ];
}

/** Completes the description of a route of the API: its refusals, its id and that it wants credentials. */
export function describeRefusals(route: RouteOptions): void {
  const schema = route.schema ?? {};
  const given = schema.response as Record<string, unknown> | undefined;
  const operation = { operationId: operationId(route), security: [{ bearer: [] }] };
  route.schema = { ...operation, ...schema, response: { ...problemResponses(...statusesOf(route)), ...given } };
}

/** `POST /api/encryption/keys/:id/reroll` is `postKeysIdReroll`. */
function operationId({ method, url }: RouteOptions): string {
  const words = url.split(/[^A-Za-z0-9]+/).slice(3);
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return String(method).toLowerCase() + name;
}
