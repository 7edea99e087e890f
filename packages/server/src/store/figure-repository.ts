/** Figures for whoever watches the service: counted by the database, without reading a row. */
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { DatabaseClock } from './database-clock.js';
import type { FigureRepository } from './figures.js';
import type { StoreSchema } from './schema.js';
import type { Dialect } from './store.js';

/** The time so many days from now, as the time columns hold it. */
function daysFromNow(dialect: Dialect, days: number): RawBuilder<string> {
  return dialect === 'sqlite'
    ? sql`strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ${`+${days} days`})`
    : sql`clock_timestamp() + make_interval(days => ${days}::integer)`;
}

export function figureRepository(db: Kysely<StoreSchema>, dialect: Dialect, clock: DatabaseClock): FigureRepository {
  return {
    async apiKeyStates() {
      // A subquery: the time is told once, and not for each row.
      const now = sql`(select ${clock.timestamp})`;
      const count = (condition: RawBuilder<unknown>) => sql<number>`count(*) filter (where ${condition})`;
      const isExpired = sql`(expires_at is not null and expires_at <= ${now})`;
      const row = await db
        .selectFrom('api_keys')
        .select([
          // As `apiKeyState` has it: what is disabled is that, expired or not.
          count(sql`is_active = false`).as('revoked'),
          count(sql`is_active = true and disabled_at is not null`).as('disabled'),
          count(sql`is_active = true and disabled_at is null and ${isExpired}`).as('expired'),
          count(sql`is_active = true and disabled_at is null and not ${isExpired}`).as('active'),
        ])
        .executeTakeFirstOrThrow();
      return {
        active: Number(row.active),
        disabled: Number(row.disabled),
        expired: Number(row.expired),
        revoked: Number(row.revoked),
      };
    },

    async apiKeysExpiring(days) {
      // By the index on expires_at.
      const row = await db
        .selectFrom('api_keys')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where(sql<boolean>`expires_at > ${clock.timestamp}`)
        .where(sql<boolean>`expires_at <= ${daysFromNow(dialect, days)}`)
        .where(sql<boolean>`is_active = true`)
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },

    async runs() {
      const rows = await db
        .selectFrom('encryption_key_rotations')
        .select(({ fn }) => ['kind', 'rotation_status as status', fn.countAll<number>().as('count')])
        .groupBy(['kind', 'rotation_status'])
        .execute();
      return rows.map((row) => ({ ...row, count: Number(row.count) }));
    },

    async ranges(runId, pass) {
      const rows = await db
        .selectFrom('sweep_ranges')
        .select(({ fn }) => ['state', fn.countAll<number>().as('count')])
        .where('run_id', '=', runId)
        .where('pass', '=', pass)
        .groupBy('state')
        .execute();
      return rows.map((row) => ({ ...row, count: Number(row.count) }));
    },

    async answers() {
      await db.selectFrom('fieldseal_migrations').select('version').limit(1).execute();
    },
  };
}
