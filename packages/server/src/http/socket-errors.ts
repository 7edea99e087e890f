/** Answers to what never becomes a request: no HTTP, headers that are too large, a client that is too slow. */
import { STATUS_CODES } from 'node:http';
import type { ConnectionError } from 'fastify';
import { FieldsealError, Secret } from 'fieldseal';
import { PROBLEM_TYPE, problem } from './problem.js';
import { SAFE_HEADERS } from './safe-headers.js';
import { HTTP_STATUSES } from './statuses.js';

function asProblem(code: string | undefined): FieldsealError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new FieldsealError('ERR_HEADERS_TOO_LARGE', 'The address and the headers are larger than 16 KiB.');
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new FieldsealError('ERR_REQUEST_TIMEOUT', 'The request did not come to its end in time.');
  }
  return new FieldsealError('ERR_INPUT_INVALID', 'The request is not HTTP.');
}

/** What of a socket is needed. */
interface SocketLike {
  readonly destroyed: boolean;
  readonly writable: boolean;
  end(text: string): unknown;
  destroy(): unknown;
}

/** Answers on the bare socket, and closes it. */
export function answerSocketError({ code }: Pick<ConnectionError, 'code'>, socket: SocketLike): void {
  if (code === 'ECONNRESET' || socket.destroyed) return;
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const error = asProblem(code);
  const status = HTTP_STATUSES[error.code];
  const body = JSON.stringify(problem(error, Secret.random(12).reveal().toString('hex')));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${PROBLEM_TYPE}; charset=utf-8`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...Object.entries(SAFE_HEADERS).map(([name, value]) => `${name}: ${value}`),
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
