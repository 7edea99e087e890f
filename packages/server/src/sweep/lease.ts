/** How long a run is its driver's, and a range its worker's, without a sign of life; and what is said when it is not any more. */
import { FieldsealError } from 'fieldseal';

export const LEASE_SECONDS = 15;
/** How often there is a sign of life; a batch is one as well. */
export const HEARTBEAT_MS = 5_000;

/** Somebody else's fence counts now. */
export function lostRun(id: number): FieldsealError {
  return new FieldsealError('ERR_RUN_LOST', `Run ${id} was stopped or taken over by another process.`);
}
