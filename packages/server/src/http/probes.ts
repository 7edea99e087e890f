/** What an orchestrator asks: whether the process runs, and whether it can answer. */
import type { FastifyInstance } from 'fastify';
import { FieldsealError } from 'fieldseal';
import type { Service } from '../usecases/service.js';

/** How long the database may take to answer. */
const ANSWER_MS = 2_000;

/**
 * Adds `/healthz` and `/readyz`.
 * @param isDraining whether the process was asked to end
 */
export function probes(app: FastifyInstance, service: Service, isDraining: () => boolean): void {
  // Of probes that ask while the database hangs, one waits for it.
  let asked: Promise<void> | null = null;
  const ask = () => {
    asked ??= service.store.figures.answers().finally(() => {
      asked = null;
    });
    return asked;
  };
  app.get('/healthz', { schema: { hide: true } }, async () => ({ status: 'ok' }));
  app.get('/readyz', { schema: { hide: true } }, async () => {
    if (isDraining()) throw new FieldsealError('ERR_UNAVAILABLE', 'The service is about to end.');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new FieldsealError('ERR_UNAVAILABLE', 'Too late.')), ANSWER_MS);
    });
    await Promise.race([ask(), late]).finally(() => clearTimeout(timer));
    return { status: 'ready' };
  });
}
