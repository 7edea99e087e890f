/** What an orchestrator asks: whether the process runs, and whether it can answer. */
import type { FastifyInstance } from 'fastify';
import type { Service } from '../usecases/service.js';

/** Adds `/healthz` and `/readyz`. */
export function probes(app: FastifyInstance, service: Service): void {
  app.get('/healthz', { schema: { hide: true } }, async () => ({ status: 'ok' }));
  app.get('/readyz', { schema: { hide: true } }, async () => {
    await service.store.runs.list(1); // Fails while the database does not answer.
    return { status: 'ready' };
  });
}
