/** `schedule add`: a rotation or a verify that begins again and again, by whichever process works on runs then. */
import Type, { type Static } from 'typebox';
import { withKeyringStore } from './change-stored-keyring.js';
import type { Dependencies } from './dependencies.js';
import { assertInput } from './input.js';
import { nextTime } from './next-time.js';
import { SCHEDULED_KINDS, type Schedule } from './scheduled-kinds.js';
import { assertRandomKey } from './start-rotation.js';

const NewScheduleSchema = Type.Object(
  {
    kind: Type.Enum(SCHEDULED_KINDS),
    cron: Type.String({ maxLength: 200 }),
    timezone: Type.String({ maxLength: 100 }),
  },
  { additionalProperties: false },
);

/**
 * @throws FieldsealError `ERR_INPUT_INVALID` for a cron expression or a time zone that is none, `ERR_ROTATE_ENV_KEYS`, and
 * those of the keyring, which has to be there
 */
export async function addSchedule(deps: Dependencies, input: Static<typeof NewScheduleSchema>): Promise<Schedule> {
  assertInput(NewScheduleSchema, input);
  const { kind, cron, timezone } = input;
  if (kind === 'rotate') assertRandomKey((await deps.loadConfig())?.keys ?? 'stored');
  // Refused before a database is looked for, and worked out again by its clock.
  nextTime(input, new Date().toISOString());
  return withKeyringStore(deps, (store) =>
    store.transaction(async (tx) => {
      const nextAt = nextTime(input, await tx.audit.now());
      const schedule = await tx.schedules.create({ kind, cron, timezone, nextAt });
      await tx.audit.insert({
        action: 'schedule_added',
        resourceType: 'schedule',
        resourceId: String(schedule.id),
        status: 'success',
        details: JSON.stringify({ kind, cron, timezone }),
      });
      return schedule;
    }),
  );
}
