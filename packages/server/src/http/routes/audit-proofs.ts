/** `GET /audit-logs/checkpoint`, `/audit-logs/:id/inclusion-proof` and `/audit-logs/consistency-proof`. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { readCheckpoint, readConsistencyProof, readInclusionProof } from '../../usecases/audit-leaves.js';
import { actorOf, type HttpDependencies } from '../app.js';

const TreeSize = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const Hash = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 in hex.' });
const Hashes = Type.Array(Hash);

export const InclusionProofSchema = Type.Object(
  {
    audit_id: Type.Integer(),
    leaf_index: Type.Integer({ minimum: 0 }),
    epoch: Type.Integer(),
    xact_id: Type.Union([Type.Null(), Type.Integer()]),
    salt: Type.String({ pattern: '^[0-9a-f]{32}$', description: '16 bytes in hex.' }),
    row_hash: Hash,
    leaf_hash: Hash,
    row: Type.Union(
      [
        Type.Null(),
        Type.Record(
          Type.String(),
          Type.Union([
            Type.Null(),
            Type.String(),
            Type.Object({ bytes: Type.String() }, { additionalProperties: false }),
          ]),
        ),
      ],
      { description: 'Every column as text, exactly as the leaf holds it; null once the row was pruned.' },
    ),
    tree_size: TreeSize,
    proof: Hashes,
    checkpoint: Type.String({ description: 'The signed note over the tree of that size.' }),
  },
  { title: 'InclusionProof' },
);
export const ConsistencyProofSchema = Type.Object(
  { from: TreeSize, to: TreeSize, proof: Hashes },
  { title: 'ConsistencyProof' },
);
export const TreeSizesSchema = Type.Object({ from: TreeSize, to: TreeSize }, { additionalProperties: false });

export async function auditProofRoutes(scope: FastifyInstance, { service }: HttpDependencies): Promise<void> {
  const routes = scope.withTypeProvider<TypeBoxTypeProvider>();
  routes.get(
    '/audit-logs/checkpoint',
    {
      schema: {
        summary: 'The newest signed checkpoint of the audit log, a C2SP signed note.',
        produces: ['text/plain'],
        response: { 200: Type.String() },
      },
    },
    async (request, reply) => {
      const note = await readCheckpoint(service.store, actorOf(request));
      return reply.type('text/plain; charset=utf-8').send(note);
    },
  );
  routes.get(
    '/audit-logs/:id/inclusion-proof',
    {
      schema: {
        summary: 'The proof that an audit row is in the signed tree: your own, or anybody’s for an admin.',
        params: Type.Object({ id: TreeSize }),
        response: { 200: InclusionProofSchema },
      },
    },
    async (request) => readInclusionProof(service, actorOf(request), request.params.id),
  );
  routes.get(
    '/audit-logs/consistency-proof',
    {
      schema: {
        summary: 'The proof that a tree is how a larger one began.',
        querystring: TreeSizesSchema,
        response: { 200: ConsistencyProofSchema },
      },
    },
    async (request) => readConsistencyProof(service.store, actorOf(request), request.query.from, request.query.to),
  );
}
