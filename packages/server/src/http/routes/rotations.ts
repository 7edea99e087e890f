/** `POST /rotate`, `GET /rotation-status/:id`; `GET /rotations`, `GET /rotations/:id`, and what a caller does to one. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import {
  cancelRotation,
  FailureSchema,
  failRotation,
  pauseRotation,
  resumeRotation,
} from '../../usecases/control-rotation.js';
import { getRotation } from '../../usecases/get-rotation.js';
import { listRotations } from '../../usecases/list-rotations.js';
import { NewRotationSchema, startRotation } from '../../usecases/start-rotation.js';
import { actorOf, emptyBody, type HttpDependencies } from '../app.js';
import {
  ListedRotationSchema,
  listedRotationBody,
  RotationDetailsSchema,
  RotationSchema,
  rotationBody,
  rotationDetailsBody,
  StartedRotationSchema,
} from '../contract.js';
import { nextPage } from '../next-page.js';
import { IdSchema } from './api-keys.js';

export const PageSchema = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
    before: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'The id of the last rotation of the page before.',
      }),
    ),
  },
  { additionalProperties: false },
);
const NothingSchema = Type.Object({}, { additionalProperties: false });

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
        response: { 202: StartedRotationSchema },
      },
    },
    async (request, reply) => {
      const run = await startRotation(service, request.body, actorOf(request), rotationKeys);
      onRotation(run.id);
      return reply.code(202).send({ rotation_id: run.id, status: run.status, message: 'Key rotation initiated' });
    },
  );

  app.get(
    '/rotation-status/:id',
    {
      schema: {
        summary: 'How far a rotation is (admins, or the scope rotation:write).',
        params: IdSchema,
        response: { 200: RotationSchema },
      },
    },
    async (request) => rotationBody(await getRotation(service, request.params.id, actorOf(request), driver)),
  );

  app.get(
    '/rotations',
    {
      schema: {
        summary:
          'List rotations, newest first (admins, or the scope rotation:write). The next page is in the header Link.',
        querystring: PageSchema,
        response: { 200: Type.Array(ListedRotationSchema) },
      },
    },
    async (request, reply) => {
      const { limit = 50, before } = request.query;
      const page = { limit, ...(before !== undefined && { beforeId: before }) };
      const runs = await listRotations(service, actorOf(request), driver, page);
      const last = runs.at(-1);
      if (last && runs.length === limit) reply.header('link', nextPage(request, limit, last.id));
      return runs.map(listedRotationBody);
    },
  );

  app.get(
    '/rotations/:id',
    {
      schema: {
        summary: 'One rotation with its report (admins, or the scope rotation:write).',
        params: IdSchema,
        response: { 200: RotationDetailsSchema },
      },
    },
    async (request) => rotationDetailsBody(await getRotation(service, request.params.id, actorOf(request), driver)),
  );

  const control = (verb: string, summary: string, use: typeof pauseRotation, then: (id: number) => void = () => {}) =>
    app.post(
      `/rotations/:id/${verb}`,
      {
        preValidation: emptyBody,
        schema: {
          summary: `${summary} (admins, or the scope rotation:write).`,
          params: IdSchema,
          body: NothingSchema,
          response: { 200: ListedRotationSchema },
        },
      },
      async (request) => {
        const run = await use(service, request.params.id, actorOf(request), driver);
        then(run.id);
        return listedRotationBody(run);
      },
    );
  control('pause', 'Stop a rotation before its next batch; it can go on', pauseRotation);
  control('cancel', 'Give a rotation up; what is moved stays moved', cancelRotation);
  control('resume', 'Let a paused or stalled rotation go on', resumeRotation, onRotation);

  app.post(
    '/rotations/:id/fail',
    {
      preValidation: emptyBody,
      schema: {
        summary: 'End a rotation that no process drives as failed (admins, or the scope rotation:write).',
        params: IdSchema,
        body: FailureSchema,
        response: { 200: ListedRotationSchema },
      },
    },
    async (request) =>
      listedRotationBody(await failRotation(service, request.params.id, request.body, actorOf(request), driver)),
  );
}
