/** The description of the API, made from the schemas that check its requests, and a page that shows it. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

/** Where the page stands. */
const DOCS_PREFIX = '/docs';
/** Everything that the page loads comes from here. It sets styles of its own accord, which takes `unsafe-inline` for styles. */
const DOCS_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" width="160" height="40"><text y="28" font-family="sans-serif" font-size="24" fill="#fff">Fieldseal</text></svg>';

/** Without the bar to open other descriptions with, since the policy lets none be loaded, and the column of links, of which there are none. */
const STYLE =
  '.download-url-wrapper, .swagger-ui .response-col_links { display: none !important } .swagger-ui table.responses-table tbody tr td.response-col_status { min-width: 4em }';
const VIEWPORT = `document.head.insertAdjacentHTML('beforeend', '<meta name="viewport" content="width=device-width">');`;

/** Adds `/openapi.json`, and `/docs` if it shall be there. Before the routes that it shall describe. */
export async function describeApi(app: FastifyInstance, version: string, hasDocs: boolean): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Fieldseal', version: version, description: 'API keys, audit log and key rotation.' },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
    },
    transformObject: (document) => {
      const api = 'openapiObject' in document ? document.openapiObject : document.swaggerObject;
      completeOperations(api as OpenApiLike);
      return api;
    },
  });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  if (!hasDocs) return;
  await app.register(swaggerUi, {
    routePrefix: DOCS_PREFIX,
    staticCSP: DOCS_POLICY,
    theme: {
      title: 'Fieldseal',
      css: [{ filename: 'theme.css', content: STYLE }],
      // Its HTML says nothing of phones, which then lay it out for a wide screen.
      js: [{ filename: 'viewport.js', content: VIEWPORT }],
    },
    logo: { type: 'image/svg+xml', content: Buffer.from(LOGO) },
    // Without it, a badge of validator.swagger.io would be asked for.
    uiConfig: { validatorUrl: null, persistAuthorization: false, deepLinking: true },
  });
}

/** What the plugin says of an answer that has no description of its own. */
const NOT_DESCRIBED = 'Default Response';
const SUCCESSES: Readonly<Record<string, string>> = { 200: 'Done.', 201: 'Created.', 202: 'Begun.' };

function completeOperations(api: OpenApiLike): void {
  for (const operations of Object.values(api.paths ?? {})) {
    for (const { requestBody, responses } of Object.values(operations)) {
      // Bodies of which nothing is required may be left out: `emptyBody` stands in for them.
      const required = requestBody?.content['application/json']?.schema?.required ?? [];
      if (requestBody && required.length === 0) requestBody.required = false;
      for (const [status, response] of Object.entries(responses ?? {})) {
        if (response.description === NOT_DESCRIBED) response.description = SUCCESSES[status] ?? NOT_DESCRIBED;
      }
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
            readonly responses?: Readonly<Record<string, { description?: string }>>;
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
