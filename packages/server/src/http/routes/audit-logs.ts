/** `GET /audit-logs`, `/audit-logs/:id`, `/audit-logs/export`, and `POST /audit-logs/search`. */
import { Readable } from 'node:stream';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { exportAuditLogs } from '../../usecases/export-audit-logs.js';
import { type AuditFilter, getAuditLog, listAuditLogs, searchAuditLogs } from '../../usecases/list-audit-logs.js';
import { actorOf, type HttpDependencies } from '../app.js';
import { AuditLogDetailsSchema, AuditLogsSchema, auditLogBody, auditLogDetailsBody } from '../contract.js';
import { nextPage } from '../next-page.js';
import { IdSchema } from './api-keys.js';

const Word = Type.String({ minLength: 1, maxLength: 255, pattern: '^[!-~ ]*$' });
const Time = Type.String({
  maxLength: 40,
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d)$',
  description: 'RFC 3339',
});
const Text = { minLength: 1, maxLength: 255, pattern: '^[^\\u0000]*$' };
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 }));
const before = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'The id of the last row of the page before.',
  }),
);
const filters = {
  action: Type.Optional(Word),
  user_id: Type.Optional(Type.String({ ...Text, description: 'Admins only.' })),
  resource_type: Type.Optional(Word),
  resource_id: Type.Optional(Type.String(Text)),
  status: Type.Optional(Type.Union([Type.Literal('success'), Type.Literal('failure')])),
  ip: Type.Optional(Type.String({ minLength: 2, maxLength: 45, pattern: '^[0-9A-Fa-f.:]+$' })),
  from: Type.Optional(Time),
  until: Type.Optional(Time),
};
const closed = { additionalProperties: false };
export const ListSchema = Type.Object({ limit, before, ...filters }, closed);
export const ExportSchema = Type.Object(
  {
    format: Type.Optional(Type.Union([Type.Literal('ndjson'), Type.Literal('csv')], { default: 'ndjson' })),
    ...filters,
  },
  closed,
);
export const SearchSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100 }),
    value: Type.String({ minLength: 1, maxLength: 4096, description: 'As it was written. It is not kept.' }),
    limit,
    before,
  },
  closed,
);

const CONTENT_TYPES = { ndjson: 'application/x-ndjson', csv: 'text/csv; charset=utf-8; header=present' } as const;

function filterOf(query: Omit<Static<typeof ListSchema>, 'limit' | 'before'>): AuditFilter {
  const { action, user_id, resource_type, resource_id, status, ip, from, until } = query;
  return {
    ...(action !== undefined && { action }),
    ...(user_id !== undefined && { userId: user_id }),
    ...(resource_type !== undefined && { resourceType: resource_type }),
    ...(resource_id !== undefined && { resourceId: resource_id }),
    ...(status !== undefined && { status }),
    ...(ip !== undefined && { ipAddress: ip }),
    ...(from !== undefined && { from }),
    ...(until !== undefined && { until }),
  };
}

export async function auditLogRoutes(scope: FastifyInstance, { service }: HttpDependencies): Promise<void> {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();

  app.get(
    '/audit-logs',
    {
      schema: {
        summary:
          'List audit rows, newest first: your own, or everybody’s for an admin. The next page is in the header Link.',
        querystring: ListSchema,
        response: { 200: AuditLogsSchema },
      },
    },
    async (request, reply) => {
      const { limit = 50, before, ...filter } = request.query;
      const page = { limit, ...(before !== undefined && { beforeId: before }) };
      const { total, logs } = await listAuditLogs(service, actorOf(request), filterOf(filter), page);
      const last = logs.at(-1);
      if (last && logs.length === limit) reply.header('link', nextPage(request, limit, last.id));
      return { total, logs: logs.map(auditLogBody) };
    },
  );

  app.get(
    '/audit-logs/export',
    {
      // A HEAD would read it all to throw it away.
      exposeHeadRoute: false,
      schema: {
        summary: 'Every audit row with its details, newest first: your own, or everybody’s for an admin.',
        querystring: ExportSchema,
        response: {
          200: {
            description: 'A line a row',
            content: { 'application/x-ndjson': { schema: Type.String() }, 'text/csv': { schema: Type.String() } },
          },
        },
      },
    },
    async (request, reply) => {
      const { format = 'ndjson', ...filter } = request.query;
      const text = await exportAuditLogs(service, actorOf(request), filterOf(filter), format);
      reply.header('content-disposition', `attachment; filename="audit.${format}"`);
      // Read only as fast as it is sent; a caller who goes away ends it.
      const body: unknown = Readable.from(text, { objectMode: false });
      return reply.type(CONTENT_TYPES[format]).send(body as string);
    },
  );

  app.get(
    '/audit-logs/:id',
    {
      schema: {
        summary: 'One audit row with its details: your own, or anybody’s for an admin.',
        params: IdSchema,
        response: { 200: AuditLogDetailsSchema },
      },
    },
    async (request) => auditLogDetailsBody(await getAuditLog(service, actorOf(request), request.params.id)),
  );

  app.post(
    '/audit-logs/search',
    {
      schema: {
        summary: 'Search audit rows by a sensitive value, of which only a keyed hash is kept.',
        body: SearchSchema,
        response: { 200: AuditLogsSchema },
      },
    },
    async (request) => {
      const { limit = 50, before, ...searched } = request.body;
      const page = { limit, ...(before !== undefined && { beforeId: before }) };
      const { total, logs } = await searchAuditLogs(service, actorOf(request), searched, page);
      return { total, logs: logs.map(auditLogBody) };
    },
  );
}
