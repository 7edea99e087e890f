/** The description of the API, made from the schemas that check its requests. */
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';

/** Adds `/openapi.json`. Before the routes that it shall describe. */
export async function describeApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Fieldseal', version: version, description: 'API keys, audit log and key rotation.' },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
    },
  });
  app.get('/openapi.json', { schema: { hide: true } }, async () => {
    const api = app.swagger();
    optionalBodies(api as OpenApiLike);
    return api;
  });
}

/** Bodies of which nothing is required may be left out: `emptyBody` stands in for them. */
function optionalBodies(api: OpenApiLike): void {
  for (const operations of Object.values(api.paths ?? {})) {
    for (const { requestBody } of Object.values(operations)) {
      const required = requestBody?.content['application/json']?.schema?.required ?? [];
      if (requestBody && required.length === 0) requestBody.required = false;
    }
  }
}

/** What is changed of the description that the swagger plugin makes. */
interface OpenApiLike {
  readonly paths?: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly requestBody?: {
              required?: boolean;
              readonly content: Readonly<
                Record<string, { readonly schema?: { readonly required?: readonly string[] } }>
              >;
            };
          }
        >
      >
    >
  >;
}
