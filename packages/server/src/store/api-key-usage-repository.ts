/** How often API keys are used, and when they last were. */
import { type Kysely, sql } from 'kysely';
import type { DatabaseClock } from './database-clock.js';
import type { StoreSchema } from './schema.js';
import type { ApiKeyUsageRepository, UseLimits, UseOutcome } from './store.js';
import { qualify, type StorePlace } from './store-place.js';

/** A window that seems to begin so far ahead was counted before the database's clock was set back. */
const CLOCK_SET_BACK_MS = 60_000;

interface UsageRow {
  readonly window_started: number;
  readonly window_count: number;
  readonly quota_used: number;
  readonly now_ms: number;
}

export function apiKeyUsageRepository(
  db: Kysely<StoreSchema>,
  place: StorePlace,
  clock: DatabaseClock,
): ApiKeyUsageRepository {
  const [usage, keys] = (['api_key_usage', 'api_keys'] as const).map((table) => sql.raw(qualify(table, place)));
  return {
    async consume(id, limits) {
      const { rateLimit, quota } = limits;
      const windowMs = windowMsOf(limits);
      // `excluded.window_started` is this statement's time, read once. Who waited for another's lock has an earlier one than
      // the window that the other began: it counts in that.
      const isOver = sql`(excluded.window_started >= u.window_started + ${sql.lit(windowMs)}
        or u.window_started > excluded.window_started + ${sql.lit(windowMs + CLOCK_SET_BACK_MS)})`;
      const mayUse = [
        ...(quota === null ? [] : [sql`u.quota_used < ${sql.lit(quota)}`]),
        ...(rateLimit === null ? [] : [sql`(${isOver} or u.window_count < ${sql.lit(rateLimit)})`]),
      ];
      const isPossible = (quota === null || quota > 0) && (rateLimit === null || rateLimit > 0);
      if (isPossible) {
        const { rows } =
          await sql<UsageRow>`insert into ${usage} as u (key_id, window_started, window_count, quota_used)
          values (${id}, ${clock.unixMilliseconds}, 1, 1)
          on conflict (key_id) do update set
            window_started = case when ${isOver} then excluded.window_started else u.window_started end,
            window_count = case when ${isOver} then 1 else u.window_count + 1 end,
            quota_used = u.quota_used + 1
          where ${mayUse.length === 0 ? sql`true` : sql.join(mayUse, sql` and `)}
          returning window_started, window_count, quota_used, ${clock.unixMilliseconds} as now_ms`.execute(db);
        if (rows[0]) return outcome('used', rows[0], limits);
      }
      // Which limit it was. It may have room again by now; the use is refused all the same.
      const { rows } =
        await sql<UsageRow>`select window_started, window_count, quota_used, ${clock.unixMilliseconds} as now_ms
        from ${usage} where key_id = ${id}`.execute(db);
      const row = rows[0] ?? { window_started: 0, window_count: 0, quota_used: 0, now_ms: 0 };
      const isUsedUp = quota !== null && row.quota_used >= quota;
      return outcome(isUsedUp ? 'quota_exceeded' : 'rate_limited', row, limits);
    },

    async markUsed(uses) {
      if (uses.length === 0) return [];
      const ids = uses.map(({ id }) => id);
      const seconds = uses.map(({ agoMs }) => Math.max(0, agoMs) / 1000);
      if (place.dialect === 'postgres') {
        // Locked in the order of ids, so that two processes never wait for each other in a circle.
        const { rows } = await sql<{ id: number }>`with
          used as (select * from unnest(${ids}::bigint[], ${seconds}::float8[]) as t (id, seconds)),
          locked as materialized (
            select id from ${keys} where id in (select id from used) order by id for no key update skip locked
          ),
          moved as (
            update ${keys} as k set last_used_at = greatest(k.last_used_at, clock_timestamp() - make_interval(secs => used.seconds))
            from used join locked on locked.id = used.id where k.id = used.id
          )
          select id from locked`.execute(db);
        return rows.map(({ id }) => id);
      }
      const json = JSON.stringify(ids.map((id, at) => [id, seconds[at]]));
      await sql`update ${keys} set last_used_at = used.used_at from (
          select value ->> 0 as key_id, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', printf('-%.3f seconds', value ->> 1)) as used_at
          from json_each(${json})
        ) as used
        where ${keys}.id = used.key_id and (last_used_at is null or last_used_at < used.used_at)`.execute(db);
      return ids;
    },
  };
}

function windowMsOf({ rateWindowSeconds }: UseLimits): number {
  return (rateWindowSeconds ?? 0) * 1000;
}

function outcome(result: UseOutcome['result'], row: UsageRow, limits: UseLimits): UseOutcome {
  const { rateLimit } = limits;
  if (rateLimit === null) return { result, remaining: null, resetMs: null };
  const windowMs = windowMsOf(limits);
  const untilEnd = row.window_started + windowMs - row.now_ms;
  const used = untilEnd > 0 ? row.window_count : 0;
  return {
    result,
    remaining: result === 'rate_limited' ? 0 : Math.max(0, rateLimit - used),
    resetMs: Math.min(windowMs, Math.max(0, untilEnd)),
  };
}
