import { describe, expect, it } from 'vitest';
import type { NewAuditRow } from '../../src/store/store.js';
import { Repeats } from '../../src/usecases/repeats.js';

const ROW: NewAuditRow = {
  action: 'request_refused',
  resourceType: 'request',
  status: 'failure',
  requestId: 'r',
  userAgent: 'curl',
  details: '{"code":"ERR_FORBIDDEN"}',
};

/** A log in memory that can fail, and a clock. */
function counting(most?: number) {
  const rows: NewAuditRow[] = [];
  const state = { nowMs: Date.UTC(2026, 0, 1), isFull: false };
  const insert = async (row: NewAuditRow) => {
    if (state.isFull) throw new Error('no room');
    rows.push(row);
    return {} as never;
  };
  return { rows, state, repeats: new Repeats({ insert }, () => state.nowMs, most) };
}

const SUMMARY = { action: 'request_refused', resourceType: 'request', status: 'failure' };

describe('rows that repeat', () => {
  it('within a minute are written once, and summed up at the end, without what was of one request', async () => {
    const { rows, state, repeats } = counting();
    for (let count = 0; count < 4; count++) {
      await repeats.record('a', ROW);
      state.nowMs += 1000;
    }
    await repeats.record('b', { ...ROW, details: null });
    expect(rows).toEqual([ROW, { ...ROW, details: null }]);
    await repeats.close();
    const repeated = { count: 3, from: '2026-01-01T00:00:01.000Z', to: '2026-01-01T00:00:03.000Z' };
    expect(rows.slice(2)).toEqual([{ ...SUMMARY, details: JSON.stringify({ code: 'ERR_FORBIDDEN', repeated }) }]);
  });

  it('after a minute begin anew, behind the summary', async () => {
    const { rows, state, repeats } = counting();
    await repeats.record('a', ROW);
    await repeats.record('a', ROW);
    state.nowMs += 60_000;
    await Promise.all([repeats.record('a', ROW), repeats.record('a', ROW)]);
    expect(rows).toHaveLength(3);
    await repeats.close();
    expect(rows.map(({ details }) => JSON.parse(details ?? '').repeated?.count ?? null)).toEqual([null, 1, null, 1]);
  });

  it('of more kinds than are counted are summed up early', async () => {
    const { rows, repeats } = counting(2);
    for (const kind of ['a', 'a', 'b', 'c']) await repeats.record(kind, { ...ROW, resourceId: kind });
    expect(rows.map(({ resourceId }) => resourceId)).toEqual(['a', 'b', 'c', 'a']);
  });

  it('are not lost while no row can be written: the first fails, and counts wait', async () => {
    const { rows, state, repeats } = counting();
    await repeats.record('a', ROW);
    state.isFull = true;
    await repeats.record('a', ROW);
    await expect(repeats.record('b', ROW)).rejects.toThrow('no room');
    await expect(repeats.flush()).rejects.toThrow('no room');
    state.isFull = false;
    await repeats.record('b', ROW);
    await repeats.close();
    expect(rows).toHaveLength(3);
    expect(JSON.parse(rows[2]?.details ?? '').repeated.count).toBe(1);
  });
});
