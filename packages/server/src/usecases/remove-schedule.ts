/** `schedule remove`. */
import { FieldsealError } from 'fieldseal';
import { openStore } from '../store/open-store.js';
import type { Dependencies } from './dependencies.js';
import { listSchedules } from './list-schedules.js';

function notFound(id: number): FieldsealError {
  return new FieldsealError(
    'ERR_SCHEDULE_NOT_FOUND',
    `There is no schedule ${id}; \`fieldseal schedule list\` lists them.`,
  );
}

/** What it started stays. @throws FieldsealError `ERR_SCHEDULE_NOT_FOUND` */
export async function removeSchedule(deps: Dependencies, id: number): Promise<void> {
  const { target, schema } = deps;
  // Read first: a database without any schedule, or without our tables, is left as it is.
  if (!(await listSchedules(deps)).some((schedule) => schedule.id === id)) throw notFound(id);
  const store = await openStore(target, { schema, mustExist: true });
  try {
    await store.transaction(async (tx) => {
      const removed = await tx.schedules.remove(id);
      if (!removed) throw notFound(id);
      const { kind, cron, timezone } = removed;
      await tx.audit.insert({
        action: 'schedule_removed',
        resourceType: 'schedule',
        resourceId: String(id),
        status: 'success',
        details: JSON.stringify({ kind, cron, timezone }),
      });
    });
  } finally {
    await store.close();
  }
}
