/** Schedules. Of several processes that move one's next time, exactly one does. */
import type { Kysely, Selectable } from 'kysely';
import type { DatabaseClock } from './database-clock.js';
import type { Schedule, ScheduleRepository } from './schedule.js';
import type { StoreSchema } from './schema.js';

export function scheduleRepository(db: Kysely<StoreSchema>, clock: DatabaseClock): ScheduleRepository {
  const schedules = () => db.selectFrom('sweep_schedules').selectAll().orderBy('id');
  return {
    async create({ kind, cron, timezone, nextAt }) {
      const row = await db
        .insertInto('sweep_schedules')
        .values({ kind, cron, timezone, next_at: Date.parse(nextAt) })
        .returningAll()
        .executeTakeFirstOrThrow();
      return toSchedule(row);
    },

    async list() {
      return (await schedules().execute()).map(toSchedule);
    },

    async due() {
      return (await schedules().where('next_at', '<=', clock.unixMilliseconds).execute()).map(toSchedule);
    },

    async move(id, from, to) {
      const moved = await db
        .updateTable('sweep_schedules')
        .set({ next_at: Date.parse(to) })
        .where('id', '=', id)
        .where('next_at', '=', Date.parse(from))
        .returning('id')
        .executeTakeFirst();
      return moved !== undefined;
    },

    async started(id, run) {
      await db
        .updateTable('sweep_schedules')
        .set({ last_at: clock.timestamp, last_run_id: run })
        .where('id', '=', id)
        .execute();
    },

    async remove(id) {
      const row = await db.deleteFrom('sweep_schedules').where('id', '=', id).returningAll().executeTakeFirst();
      return row ? toSchedule(row) : null;
    },
  };
}

function toSchedule(row: Selectable<StoreSchema['sweep_schedules']>): Schedule {
  return {
    id: row.id,
    kind: row.kind,
    cron: row.cron,
    timezone: row.timezone,
    nextAt: new Date(row.next_at).toISOString(),
    lastAt: row.last_at,
    lastRun: row.last_run_id,
  };
}
