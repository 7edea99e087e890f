/** Answers that are ready in one turn of the event loop are written one after another at its end. */
import type { onSendHookHandler } from 'fastify';

/**
 * The hook that holds answers back until everybody who was ready to be read has been. Written at once, each wakes a caller on
 * the same machine that would have gone on to the next by itself, which costs more than verifying a key. An answer that is
 * alone waits for nothing.
 */
export function sendTogether(): onSendHookHandler {
  let ready: (() => void)[] = [];
  const sendAll = () => {
    const all = ready;
    ready = [];
    for (const send of all) send();
  };
  return (request, reply, payload, done) => {
    if (ready.length === 0) setImmediate(sendAll);
    const send = () => done(null, payload);
    ready.push(() => {
      try {
        if (request.span) request.span.within(send);
        else send();
      } catch {
        // What cannot be sent ends its own connection; the others' answers are still to come.
        reply.raw.destroy();
      }
    });
  };
}
