/** The time as the database tells it, so that no two processes need clocks that agree. */
import { type RawBuilder, sql } from 'kysely';
import type { Dialect } from './store.js';

export interface DatabaseClock {
  /** Now, as the time columns hold it. */
  readonly timestamp: RawBuilder<string>;
  /** Now in whole unix seconds. */
  readonly unixSeconds: RawBuilder<number>;
  /** Now in whole unix milliseconds. */
  readonly unixMilliseconds: RawBuilder<number>;
}

/** On PostgreSQL `clock_timestamp()`: `now()` stands still inside a transaction, and a lease must not. */
export const DATABASE_CLOCKS: Record<Dialect, DatabaseClock> = {
  sqlite: {
    timestamp: sql`strftime('%Y-%m-%dT%H:%M:%fZ', 'now')`,
    unixSeconds: sql`unixepoch('now')`,
    unixMilliseconds: sql`cast(unixepoch('now', 'subsec') * 1000 as integer)`,
  },
  postgres: {
    timestamp: sql`clock_timestamp()`,
    unixSeconds: sql`floor(extract(epoch from clock_timestamp()))::bigint`,
    unixMilliseconds: sql`floor(extract(epoch from clock_timestamp()) * 1000)::bigint`,
  },
};

/** When a lease of so many seconds is over that begins now, in unix milliseconds. */
export function leaseUntil({ unixMilliseconds }: DatabaseClock, seconds: number): RawBuilder<number> {
  return sql<number>`${unixMilliseconds} + ${Math.round(seconds * 1000)}`;
}
