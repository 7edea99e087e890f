/** What a process that offers its help can do now, across all runs. */
import type { Run, Store } from '../store/store.js';
import { goneWorkers } from '../sweep/range-lanes.js';
import type { Driver, WorkerRole } from './dependencies.js';
import { isDriven } from './list-runs.js';

/** How often a process looks for work: with a lease of 15 s, that of a worker that was killed is another's within 16 s. */
export const POLL_MS = 1_000;
/** How long it leaves alone what met a fault that passes, and what it has not the means for: others may have. */
export const RETRY_MS = 5_000;
export const REFUSED_MS = 60_000;

/** A run, and what to be to it. */
export interface Work {
  readonly run: Run;
  readonly as: WorkerRole;
}

/**
 * Whether the run is to be driven by whoever is there. Rotations and verifies are as soon as they are asked for; other runs
 * only after they have begun, for whoever began them drives them. How fast one may go that was begun with a limit, only
 * people know; and whether a decryption that broke off is still wanted.
 */
function isToBeDriven(run: Run, driver: Driver): boolean {
  if (isDriven(run, driver)) return false;
  if (run.status === 'pending') return run.kind === 'rotate' || run.kind === 'verify';
  return run.status === 'in_progress' && !run.solo && run.kind !== 'decrypt';
}

/** Work that is left out for a while. */
export class AvoidedWork {
  readonly #until = new Map<string, number>();

  add({ run, as }: Work, milliseconds: number): void {
    this.#until.set(`${run.id} ${as}`, performance.now() + milliseconds);
  }

  has({ run, as }: Work): boolean {
    return (this.#until.get(`${run.id} ${as}`) ?? 0) > performance.now();
  }

  /** Somebody asked for the run anew. */
  forget(run: number): void {
    for (const as of ['driver', 'helper']) this.#until.delete(`${run} ${as}`);
  }
}

/**
 * The first run that nobody drives, or of which a range can be claimed; null when there is none. On SQLite nobody helps: one
 * writes at a time.
 */
export async function findWork(store: Store, driver: Driver, isAvoided: (work: Work) => boolean): Promise<Work | null> {
  for (const run of await store.runs.unfinished()) {
    const driving: Work = { run, as: 'driver' };
    if (isToBeDriven(run, driver)) {
      if (!isAvoided(driving)) return driving;
      continue;
    }
    const helping: Work = { run, as: 'helper' };
    const isWanted = run.kind !== 'decrypt' || isDriven(run, driver);
    const isShared = store.dialect === 'postgres' && run.status === 'in_progress' && !run.solo && isWanted;
    if (!isShared || isAvoided(helping)) continue;
    if (await store.ranges.isClaimable(run.id, await goneWorkers(store, run.id, driver))) return helping;
  }
  return null;
}
