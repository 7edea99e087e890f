/** The id of a request: our own, random, so that none tells how many there were; or that of a proxy which is trusted. */
import type { IncomingMessage } from 'node:http';
import { Secret } from 'fieldseal';
import { IpAllowList } from '../usecases/principals.js';

/** Long enough to be one of its kind; without characters that an API key or a line of a log would need. */
const SANE = /^[A-Za-z0-9.-]{8,64}$/;

const ID_BYTES = 12;
/** Drawn at once: asking the system for randomness costs more than the bytes. */
const IDS_AT_ONCE = 256;

let drawn = '';
let next = 0;

/** 24 hex digits. */
export function newRequestId(): string {
  if (next === drawn.length) {
    drawn = Secret.random(ID_BYTES * IDS_AT_ONCE)
      .reveal()
      .toString('hex');
    next = 0;
  }
  const start = next;
  next += 2 * ID_BYTES;
  return drawn.slice(start, next);
}

/** @param trustedProxies addresses or networks, whose `X-Request-Id` is taken over; every other request gets a new one */
export function requestIds(trustedProxies: readonly string[]): (request: IncomingMessage) => string {
  const trusted = new IpAllowList(trustedProxies);
  return ({ headers, socket }) => {
    const given = headers['x-request-id'];
    if (typeof given !== 'string' || !SANE.test(given)) return newRequestId();
    return trusted.permits(socket.remoteAddress ?? null) ? given : newRequestId();
  };
}
