/** The chance in a series of faults: repeated by its seed, as far as two processes beside each other can be. */
import { createHash } from 'node:crypto';

/** Of the whole run; `FIELDSEAL_FAULT_SEED` gives it, or else the clock. */
export const SEED = Number(process.env['FIELDSEAL_FAULT_SEED']);

/** Numbers from 0 up to 1, others for each series. */
export function randomOf(series: string): () => number {
  let state = createHash('sha256').update(`${SEED}:${series}`).digest().readUInt32BE(0);
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
