/** Small random values from the CSPRNG in bulk: 16 bytes cost 2 µs one by one and a fraction of that from a pool. */
import { randomFillSync } from 'node:crypto';

/** Small on purpose: what lies in memory ahead of its use is worth as little as possible. */
const POOL_BYTES = 4096;
/** Unused bytes are thrown away after this, so that a process image taken while idle predicts nothing. */
const MAX_AGE_MS = 1000;

// One pool a thread (a worker has its own copy of this module), of its own memory, filled at first use.
const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
let position = POOL_BYTES;
let filledAtMs = 0;

/**
 * Copies `length` fresh random bytes (at most 64) into `target` at `at`. A byte is handed out once and erased from
 * the pool before this returns.
 * @param nowMs the wall clock, which the caller has read already
 */
export function fillRandom(target: Buffer, at: number, length: number, nowMs: number): void {
  let offset = at;
  const ageMs = nowMs - filledAtMs;
  // A negative age is a clock that was set back: then the age says nothing and the pool is renewed.
  if (position + length > POOL_BYTES || ageMs < 0 || ageMs > MAX_AGE_MS) {
    randomFillSync(pool);
    position = 0;
    filledAtMs = nowMs;
  }
  // For so few bytes a loop costs less than the call of a method of Buffer.
  for (const end = position + length; position < end; position++) {
    target[offset++] = pool[position] as number;
    pool[position] = 0;
  }
}
