import { describe, expect, it } from 'vitest';
import { countOutcome, emptyTally, NO_RECORDS, sumCounts, sumHeld } from '../../src/sweep/tally.js';

describe('a tally', () => {
  it('counts each outcome in its column, and under what the value is kept', () => {
    const tally = emptyTally(['phone', 'fax']);
    countOutcome(tally, 'phone', { kind: 'write', value: 'x', holds: 'v2' });
    countOutcome(tally, 'phone', { kind: 'current', holds: 'v2' });
    countOutcome(tally, 'phone', { kind: 'current', holds: 'v1' });
    countOutcome(tally, 'phone', { kind: 'failed', reason: 'no_key' });
    expect(tally).toEqual({
      phone: { total: 4, rotated: 1, current: 2, skipped: 0, failed: 1, held: { v2: 2, v1: 1 } },
      fax: { ...NO_RECORDS, held: {} },
    });
  });

  it('sums counts and what is held, and shares nothing with an empty one', () => {
    const tallies = [1, 2].map((total) => ({ ...NO_RECORDS, total, failed: 1, held: { v1: total, plaintext: 1 } }));
    expect(sumCounts(tallies)).toEqual({ total: 3, rotated: 0, current: 0, skipped: 0, failed: 2 });
    expect(sumHeld(tallies)).toEqual({ v1: 3, plaintext: 2 });
    expect([sumCounts([]), sumHeld([])]).toEqual([NO_RECORDS, {}]);
    expect(NO_RECORDS.total).toBe(0);
  });

  it('survives being written as JSON', () => {
    const tally = emptyTally(['phone']);
    countOutcome(tally, 'phone', { kind: 'write', value: 'x', holds: 'v2' });
    expect(JSON.parse(JSON.stringify(tally))).toEqual(tally);
  });
});
