/** Waiting until every live process that reads the keyring has loaded a generation of it. */
import { setTimeout } from 'node:timers/promises';
import { CONFIRMATION_SECONDS, FieldsealError } from 'fieldseal';
import type { Store } from '../store/store.js';
import { LEASE_SECONDS, lostRun } from '../sweep/lease.js';
import type { Dependencies } from './dependencies.js';

const POLL_MS = 200;
/** A reader that was not seen for so long refuses to encrypt; the seconds are whole ones, hence the two more. */
const LIVE_SECONDS = CONFIRMATION_SECONDS + 2;

/**
 * Returns when no live reader is behind `generation`. A process that ended without signing off counts as live for a
 * minute. Where a run waits (`run` is not null), its lease is prolonged meanwhile, and its status says why it waits.
 * @throws FieldsealError `ERR_RUN_STOPPED`, `ERR_RUN_LOST`
 */
export async function waitForReaders(
  { stop, notify }: Dependencies,
  store: Store,
  generation: number,
  run: { readonly id: number; readonly fence: number } | null,
): Promise<void> {
  let announced = -1;
  for (;;) {
    const readers = await store.keyring.readers();
    const behind = readers.filter(
      (reader) => reader.secondsAgo <= LIVE_SECONDS && reader.generation < generation,
    ).length;
    if (behind !== announced && (behind > 0 || announced > 0)) {
      if (behind > 0) notify({ type: 'waiting', readers: behind });
      const errorDetails = behind > 0 ? `It waits for ${behind} process(es) to load the new keyring.` : null;
      if (run) await store.runs.update(run.id, run.fence, { errorDetails });
    }
    if (behind === 0) return;
    announced = behind;
    if (run && !(await store.runs.heartbeat(run.id, run.fence, LEASE_SECONDS))) {
      throw lostRun(run.id);
    }
    await setTimeout(POLL_MS, undefined, { signal: stop }).catch(() => {});
    if (stop.aborted) throw new FieldsealError('ERR_RUN_STOPPED', 'Stopped; start the same command again to go on.');
  }
}
