/** `POST /rotate`, `GET /rotation-status/:id`. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { getRotation } from '../../usecases/get-rotation.js';
import { NewRotationSchema, startRotation } from '../../usecases/start-rotation.js';
import { actorOf, emptyBody, type HttpDependencies } from '../app.js';
import { RotationSchema, rotationBody, StartedRotationSchema } from '../contract.js';
import { ProblemSchema } from '../problem.js';
import { IdSchema } from './api-keys.js';

export async function rotationRoutes(scope: FastifyInstance, deps: HttpDependencies): Promise<void> {
  const { service, driver, rotationKeys, onRotation } = deps;
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();

  app.post(
    '/rotate',
    {
      preValidation: emptyBody,
      schema: {
        summary: 'Start a rotation to a new random key (admins, or the scope rotation:write).',
        body: NewRotationSchema,
        response: { 202: StartedRotationSchema, '4xx': ProblemSchema, '5xx': ProblemSchema },
      },
    },
    async (request, reply) => {
      const run = await startRotation(service, request.body, actorOf(request), rotationKeys);
      onRotation(run);
      return reply.code(202).send({ rotation_id: run.id, status: run.status, message: 'Key rotation initiated' });
    },
  );

  app.get(
    '/rotation-status/:id',
    {
      schema: {
        summary: 'How far a rotation is (admins, or the scope rotation:write).',
        params: IdSchema,
        response: { 200: RotationSchema, '4xx': ProblemSchema, '5xx': ProblemSchema },
      },
    },
    async (request) => rotationBody(await getRotation(service, request.params.id, actorOf(request), driver)),
  );
}
