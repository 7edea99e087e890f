/** The ids of requests: random, so that none tells how many there were. */
import { Secret } from 'fieldseal';

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
