/** `worker`: a process that takes part in whatever run there is, and starts what schedules ask for. */
import { setTimeout } from 'node:timers/promises';
import { openStore } from '../store/open-store.js';
import type { Dependencies } from './dependencies.js';
import { doWork, type WorkOptions } from './do-work.js';
import { faultOf } from './fail-run.js';
import { AvoidedWork, findWork, POLL_MS, type Work } from './find-work.js';
import { assertSeesLag } from './hold-back.js';
import { keepSchedules, type ScheduleNotice } from './keep-schedules.js';

/**
 * Drives runs that nobody drives, helps with those that somebody does, and starts those that are due by a schedule, until the
 * process is asked to end: then the batch under way is finished, and the rest is left to others. A fault is told, and tried
 * again later.
 * @throws FieldsealError of the store, when it cannot be opened; `ERR_USAGE` when standbys are to be waited for, and cannot
 * be seen
 */
export async function workOnRuns(given: Dependencies, how: Omit<WorkOptions, 'ownsRotations'>): Promise<void> {
  const { schema, stop, driver } = given;
  const target: Dependencies['target'] = { ...given.target, writtenAs: 'system' };
  const ending = new AbortController();
  const end = () => ending.abort('shutdown');
  if (stop.aborted) end();
  stop.addEventListener('abort', end, { once: true });
  const deps: Dependencies = { ...given, target, stop: ending.signal };
  if (how.maxReplicationLagSeconds !== null) await assertSeesLag(given, how.maxReplicationLagSeconds);
  const store = await openStore(target, { schema, mustExist: true });
  const avoided = new AvoidedWork();
  let isAway = false;
  const lookFor = async (): Promise<Work | null> => {
    try {
      const work = await findWork(store, driver, (found) => avoided.has(found));
      isAway = false;
      return work;
    } catch (error) {
      // Said once, for as long as it lasts.
      if (!isAway)
        deps.notify({ type: 'warning', text: `the database cannot be asked for work: ${faultOf(error).message}` });
      isAway = true;
      return null;
    }
  };
  const schedules = {
    keys: deps.keys,
    rotationKeys: async () => (await deps.loadConfig())?.keys ?? 'stored',
    tell: ({ schedule, code, reason }: ScheduleNotice) =>
      deps.notify({ type: 'warning', text: `schedule ${schedule} did not start: ${reason} [${code}]` }),
  };
  const keeping = keepSchedules(schedules, store, ending.signal);
  try {
    while (!ending.signal.aborted) {
      const work = await lookFor();
      if (!work) {
        await setTimeout(POLL_MS, undefined, { signal: ending.signal }).catch(() => {});
        continue;
      }
      const { run, as } = work;
      deps.notify({ type: 'work', run: run.id, as });
      const { avoidMs, error } = await doWork(deps, work, { ...how, ownsRotations: false });
      avoided.add(work, avoidMs);
      if (error && error.code !== 'ERR_RUN_STOPPED')
        deps.notify({ type: 'warning', text: `run ${run.id}: ${error.message} [${error.code}]` });
    }
  } finally {
    end();
    await keeping;
    await store.close();
  }
}
