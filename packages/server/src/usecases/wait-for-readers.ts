/** Waiting until every live process that reads the keyring has loaded a generation of it. */
import { setTimeout } from 'node:timers/promises';
import { CONFIRMATION_SECONDS, FieldsealError } from 'fieldseal';
import type { Store } from '../store/store.js';
import type { Dependencies } from './dependencies.js';
import { LEASE_SECONDS } from './drive-run.js';

const POLL_MS = 200;
/** A reader that was not seen for so long refuses to encrypt; the seconds are whole ones, hence the two more. */
const LIVE_SECONDS = CONFIRMATION_SECONDS + 2;

/**
 * Returns when no live reader is behind `generation`. A process that ended without signing off counts as live for a
 * minute. Prolongs the run's lease meanwhile.
 * @throws FieldsealError `ERR_RUN_STOPPED`, `ERR_RUN_LOST`
 */
export async function waitForReaders(
  { stop, notify }: Dependencies,
  store: Store,
  generation: number,
  run: { readonly id: number; readonly fence: number },
): Promise<void> {
  let announced = -1;
  for (;;) {
    const readers = await store.keyring.readers();
    const behind = readers.filter(
      (reader) => reader.secondsAgo <= LIVE_SECONDS && reader.generation < generation,
    ).length;
    if (behind === 0) return;
    if (behind !== announced) notify({ type: 'waiting', readers: behind });
    announced = behind;
    if (!(await store.runs.heartbeat(run.id, run.fence, LEASE_SECONDS))) {
      throw new FieldsealError('ERR_RUN_LOST', `Run ${run.id} was stopped or taken over by another process.`);
    }
    await setTimeout(POLL_MS, undefined, { signal: stop }).catch(() => {});
    if (stop.aborted) throw new FieldsealError('ERR_RUN_STOPPED', 'The sweep was stopped; start it again to go on.');
  }
}
