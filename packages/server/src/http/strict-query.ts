/** Query parameters as they were sent, checked before the validator makes numbers of texts that are none. */
import type { FastifyRequest } from 'fastify';
import { FieldsealError } from 'fieldseal';

interface QuerySchema {
  readonly properties: Readonly<Record<string, object>>;
}

/**
 * A hook that refuses a parameter given twice, and a whole number that is not written as one: `4.7`, `0x1`, `1e3`, ` 4`.
 * For `preValidation`; unknown names are the schema's to refuse.
 */
export function strictQuery({ properties }: QuerySchema): (request: FastifyRequest) => Promise<void> {
  return async ({ query }) => {
    for (const [name, value] of Object.entries(query as Record<string, unknown>)) {
      if (!Object.hasOwn(properties, name)) continue;
      if (typeof value !== 'string') throw new FieldsealError('ERR_INPUT_INVALID', `${name} was given more than once.`);
      if ((properties[name] as { readonly type?: string }).type === 'integer' && !/^(0|[1-9]\d*)$/.test(value))
        throw new FieldsealError('ERR_INPUT_INVALID', `${name} is not a whole number.`);
    }
  };
}

/** The value of a `Link` header for the next page: the same address and parameters, with `before` as the cursor. */
export function nextPage(request: Pick<FastifyRequest, 'url' | 'query'>, before: number): string {
  const [path] = request.url.split('?');
  const query = new URLSearchParams({ ...(request.query as Record<string, string>), before: String(before) });
  return `<${path}?${query}>; rel="next"`;
}
