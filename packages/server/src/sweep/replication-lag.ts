/** How far the standbys of a PostgreSQL server are behind, as `--max-replication-lag` asks. */
import { FieldsealError } from 'fieldseal';
import type { Watch } from './brake.js';
import type { PostgresQuery } from './postgres-session.js';

/** Whoever only receives, as `pg_receivewal` does, replays nothing. Positions are bytes since the cluster was made. */
const LOOK = `
  SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0') AS flushed, s.application_name AS name,
    pg_wal_lsn_diff(s.replay_lsn, '0/0') AS replayed, extract(epoch FROM s.replay_lag) AS seconds
  FROM (VALUES (1)) AS one LEFT JOIN pg_stat_replication AS s ON s.replay_lsn IS NOT NULL`;

interface Standby {
  readonly name: string;
  readonly replayed: number;
  /** As the server has measured it; null: not at all lately. */
  readonly seconds: number | null;
}

const OPTION = '--max-replication-lag';

/** SQLite's answer. */
export function lagNeedsPostgres(option = OPTION): FieldsealError {
  return new FieldsealError('ERR_USAGE', `${option} is for PostgreSQL; a SQLite file has no standbys.`);
}

/**
 * Compares the standbys that are connected, and logical subscribers, with a bound. One that is not connected is not seen.
 *
 * The server's own measure, `replay_lag`, is NULL for a standby that has caught up, but also for one of which nothing was
 * heard, and stands still while no answer comes. So the lag is also measured here: how long ago the server was at the position that
 * the standby has not reached yet. The greater of both counts, and what has replayed everything is not behind.
 */
export class ReplicationLag implements Watch {
  readonly #query: PostgresQuery;
  readonly #maxSeconds: number;
  readonly #now: () => number;
  /** Where the server was, and when, in milliseconds: what some standby has not replayed yet. */
  #positions: { readonly position: number; readonly atMs: number }[] = [];

  private constructor(query: PostgresQuery, maxSeconds: number, now: () => number) {
    this.#query = query;
    this.#maxSeconds = maxSeconds;
    this.#now = now;
  }

  /**
   * @param now a clock that only goes forward, in milliseconds
   * @throws FieldsealError `ERR_USAGE` for a role that is not shown how far standbys are: to it, none ever is behind
   */
  static async open(
    query: PostgresQuery,
    maxSeconds: number,
    now: () => number = () => performance.now(),
    option = OPTION,
  ): Promise<ReplicationLag> {
    const [row] = await query(
      `SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS "isShown", quote_ident(current_user) AS role`,
    );
    if (row?.['isShown'] !== true) {
      throw new FieldsealError(
        'ERR_USAGE',
        `${option}: the user of DATABASE_URL may not see how far standbys are behind; GRANT pg_monitor TO ${row?.['role']} mends that.`,
      );
    }
    return new ReplicationLag(query, maxSeconds, now);
  }

  async look(): Promise<string | null> {
    const rows = await this.#query(LOOK);
    const nowMs = this.#now();
    const flushed = Number(rows[0]?.['flushed']);
    const standbys = rows.flatMap((row): Standby[] => {
      const { name, replayed, seconds } = row;
      if (replayed === null) return [];
      const measured = seconds === null ? null : Number(seconds);
      return [{ name: String(name), replayed: Number(replayed), seconds: measured }];
    });
    if (flushed > (this.#positions.at(-1)?.position ?? -1)) this.#positions.push({ position: flushed, atMs: nowMs });
    const slowest = Math.min(flushed, ...standbys.map(({ replayed }) => replayed));
    this.#positions = this.#positions.filter(({ position }) => position > slowest);

    let worst = { name: '', lagSeconds: 0 };
    for (const { name, replayed, seconds } of standbys) {
      if (replayed >= flushed) continue;
      const missing = this.#positions.find(({ position }) => position > replayed);
      const lagSeconds = Math.max(seconds ?? 0, missing ? (nowMs - missing.atMs) / 1000 : 0);
      if (lagSeconds > worst.lagSeconds) worst = { name, lagSeconds };
    }
    if (worst.lagSeconds <= this.#maxSeconds) return null;
    return `It waits for the standby ${worst.name}, which is ${Math.round(worst.lagSeconds)} s behind (at most ${this.#maxSeconds} s).`;
  }
}
