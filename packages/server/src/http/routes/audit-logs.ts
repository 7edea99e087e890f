/** `GET /audit-logs`. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { listAuditLogs } from '../../usecases/list-audit-logs.js';
import { actorOf, type HttpDependencies } from '../app.js';
import { AuditLogsSchema, auditLogBody } from '../contract.js';
import { ProblemSchema } from '../problem.js';

export const FilterSchema = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
    before: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'The id of the last row of the page before.',
      }),
    ),
    action: Type.Optional(Type.String({ minLength: 1, maxLength: 100, pattern: '^[!-~ ]*$' })),
    resource_type: Type.Optional(Type.String({ minLength: 1, maxLength: 100, pattern: '^[!-~ ]*$' })),
    status: Type.Optional(Type.Union([Type.Literal('success'), Type.Literal('failure')])),
  },
  { additionalProperties: false },
);

export async function auditLogRoutes(scope: FastifyInstance, { service }: HttpDependencies): Promise<void> {
  scope.withTypeProvider<TypeBoxTypeProvider>().get(
    '/audit-logs',
    {
      schema: {
        summary: 'List audit rows, newest first: your own, or everybody’s for an admin.',
        querystring: FilterSchema,
        response: { 200: AuditLogsSchema, '4xx': ProblemSchema, '5xx': ProblemSchema },
      },
    },
    async (request) => {
      const { limit = 50, before, action, resource_type: resourceType, status } = request.query;
      const filter = { ...(action && { action }), ...(resourceType && { resourceType }), ...(status && { status }) };
      const page = { limit, ...(before !== undefined && { beforeId: before }) };
      const { total, logs } = await listAuditLogs(service, actorOf(request), filter, page);
      return { total, logs: logs.map(auditLogBody) };
    },
  );
}
