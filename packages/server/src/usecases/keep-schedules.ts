/** The part in schedules of a process that works on runs: it starts what is due, also while it works on a run itself. */
import { setTimeout } from 'node:timers/promises';
import type { Store } from '../store/store.js';
import { faultOf, isPassingFault } from './fail-run.js';
import { POLL_MS, REFUSED_MS } from './find-work.js';
import { type StartDependencies, startDue } from './start-due.js';

/** What happened to a schedule that did not start. */
export interface ScheduleNotice {
  readonly schedule: number;
  readonly code: string;
  readonly reason: string;
}

/** Looks for schedules that are due until `stop` is aborted. Nothing is thrown; a database that does not answer is asked again. */
export async function keepSchedules(
  deps: StartDependencies & { tell(notice: ScheduleNotice): void },
  store: Store,
  stop: AbortSignal,
): Promise<void> {
  const avoidedUntil = new Map<number, number>();
  while (!stop.aborted) {
    for (const schedule of await store.schedules.due().catch(() => [])) {
      const { id } = schedule;
      if (stop.aborted || (avoidedUntil.get(id) ?? 0) > performance.now()) continue;
      try {
        const skipped = await startDue(deps, store, schedule);
        if (skipped) deps.tell({ schedule: id, ...skipped });
      } catch (caught) {
        const { code, message } = faultOf(caught);
        if (isPassingFault(code)) continue;
        avoidedUntil.set(id, performance.now() + REFUSED_MS);
        deps.tell({ schedule: id, code, reason: message });
      }
    }
    await setTimeout(POLL_MS, undefined, { signal: stop }).catch(() => {});
  }
}
