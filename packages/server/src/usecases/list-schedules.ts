/** `schedule list`. */
import type { Schedule } from '../store/schedule.js';
import type { Dependencies } from './dependencies.js';
import { withReadOnlyStore } from './list-runs.js';

/** Oldest first. @throws FieldsealError of the store */
export async function listSchedules(deps: Dependencies): Promise<Schedule[]> {
  return withReadOnlyStore(deps, (store) => store.schedules.list());
}
