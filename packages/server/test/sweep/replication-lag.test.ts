import { describe, expect, it } from 'vitest';
import type { PostgresRow } from '../../src/sweep/postgres-session.js';
import { ReplicationLag } from '../../src/sweep/replication-lag.js';

/** What the server answers, one row for each standby: position of the server, name, position of the standby, `replay_lag`. */
type Row = readonly [flushed: number, name?: string, replayed?: number, seconds?: number | null];

/** A server that can be told where it and its standbys are, and a clock. */
async function withServer(maxSeconds: number) {
  let rows: readonly Row[] = [];
  let seconds = 0;
  const query = async (sql: string): Promise<PostgresRow[]> => {
    if (sql.includes('pg_has_role')) return [{ isShown: true, role: 'app' }];
    return rows.map(([flushed, name = null, replayed = null, lag = null]) => ({
      flushed: String(flushed),
      name,
      replayed: replayed === null ? null : String(replayed),
      seconds: lag === null ? null : lag.toFixed(6),
    }));
  };
  const lag = await ReplicationLag.open(query, maxSeconds, () => seconds * 1000);
  return (atSeconds: number, ...answer: readonly Row[]) => {
    [seconds, rows] = [atSeconds, answer];
    return lag.look();
  };
}

const waitsFor = (name: string, seconds: number, max = 10) =>
  `It waits for the standby ${name}, which is ${seconds} s behind (at most ${max} s).`;

describe('a bound on replication lag', () => {
  it('lets go on without any standby, and with one that only receives', async () => {
    const look = await withServer(10);
    expect([await look(0, [100]), await look(60, [200]), await look(120, [300])]).toEqual([null, null, null]);
  });

  it('waits for the standby that is furthest behind by the server’s own measure, and not at the bound itself', async () => {
    const look = await withServer(10);
    expect(await look(0, [100, 'a', 90, 10], [100, 'b', 95, 3])).toBeNull();
    expect(await look(1, [100, 'a', 90, 11.2], [100, 'b', 80, 42.4])).toBe(waitsFor('b', 42));
  });

  it('is not kept by the last lag of a standby that has replayed everything', async () => {
    const look = await withServer(10);
    expect(await look(0, [100, 'a', 100, 42])).toBeNull();
    expect(await look(1, [100, 'a', 100, null])).toBeNull();
  });

  it('measures itself where the server has no measure, or one that stands still: from when it was where the standby is not', async () => {
    const look = await withServer(10);
    expect(await look(0, [100, 'a', 100])).toBeNull();
    // At 1 s it is somewhere that the standby does not reach.
    expect(await look(1, [200, 'a', 150])).toBeNull();
    expect(await look(11, [300, 'a', 150, 2])).toBeNull();
    expect(await look(12, [300, 'a', 150, 2])).toBe(waitsFor('a', 11));
    expect(await look(43, [300, 'a', 199, null])).toBe(waitsFor('a', 42));
    // It reaches where the server was at 1 s, but not where it was at 11 s.
    expect(await look(44, [300, 'a', 200, null])).toBe(waitsFor('a', 33));
    expect(await look(45, [300, 'a', 300, null])).toBeNull();
  });

  it('looks at each standby by itself: one that keeps up does not hide one that does not', async () => {
    const look = await withServer(10);
    for (let second = 0; second <= 10; second++) {
      expect(await look(second, [second + 1, 'quick', second + 1], [second + 1, 'stuck', 0])).toBeNull();
    }
    expect(await look(11, [12, 'quick', 12], [12, 'stuck', 0])).toBe(waitsFor('stuck', 11));
    // It is not waited for when it is disconnected.
    expect(await look(12, [12, 'quick', 12])).toBeNull();
  });

  it('knows nothing of what was before it looked, but what the server says', async () => {
    const look = await withServer(10);
    expect(await look(0, [1_000_000, 'new', 5])).toBeNull();
    expect(await look(1, [1_000_000, 'new', 5, 3600])).toBe(waitsFor('new', 3600));
  });
});
