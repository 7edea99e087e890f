/** What HTTP/1.1 asks of the head of any request. Node would refuse the same with a status alone. */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { FieldsealError } from 'fieldseal';

/** Refuses requests without a host, and with an expectation that is not met. Before whatever else may answer them. */
export function checkHeads(app: FastifyInstance): void {
  const unmet = new WeakSet<IncomingMessage>();
  app.server.on('checkExpectation', (request, response) => {
    unmet.add(request);
    app.server.emit('request', request, response);
  });
  app.addHook('onRequest', ({ raw }, reply, done) => {
    const error = refusalOf(raw, unmet.has(raw));
    // Nobody knows whether a body follows, or for whom it is meant.
    if (error) reply.header('connection', 'close');
    done(error);
  });
}

function refusalOf({ httpVersion, headers }: IncomingMessage, isUnmet: boolean): FieldsealError | undefined {
  // RFC 9112 §3.2. HTTP/1.0 may do without.
  if (httpVersion === '1.1' && headers.host === undefined)
    return new FieldsealError('ERR_INPUT_INVALID', 'The header Host is missing.');
  // RFC 9110 §10.1.1.
  if (isUnmet) return new FieldsealError('ERR_EXPECTATION', 'The header Expect may ask for 100-continue only.');
  return undefined;
}
