/** When a schedule comes next, also where the clocks change. */
import { describe, expect, it } from 'vitest';
import { nextTime } from '../../src/usecases/next-time.js';
import { rejectionOf } from '../refusal.js';

/** The times after `after`, one after another. */
function times(cron: string, timezone: string, after: string, count: number): string[] {
  const found: string[] = [];
  for (let at = after; found.length < count; found.push(at)) at = nextTime({ cron, timezone }, at);
  return found;
}

describe('the next time', () => {
  it('is meant in the time zone, and comes after the given one', () => {
    expect(times('0 3 1 */3 *', 'Asia/Seoul', '2026-03-31T18:00:00.000Z', 2)).toEqual([
      '2026-06-30T18:00:00.000Z',
      '2026-09-30T18:00:00.000Z',
    ]);
    expect(nextTime({ cron: '0 3 1 */3 *', timezone: 'UTC' }, '2026-03-31T17:59:59.999Z')).toBe(
      '2026-04-01T03:00:00.000Z',
    );
  });

  it('is right behind the gap on the day on which the clocks skip it', () => {
    // 02:00 to 03:00 does not exist on the 29th: 03:00 summer time, then 02:30 as always.
    expect(times('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00.000Z', 2)).toEqual([
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
  });

  it('is the first of two on the day on which the clocks show it twice, in a list of hours as well', () => {
    // 02:30 is there in summer time, 00:30 UTC, and again an hour later.
    for (const cron of ['30 2 * * *', '30 2,14 * * *']) {
      expect(times(cron, 'Europe/Berlin', '2026-10-24T12:30:00.000Z', 2)[0]).toBe('2026-10-25T00:30:00.000Z');
      expect(times(cron, 'Europe/Berlin', '2026-10-25T13:30:00.000Z', 1)).toEqual(['2026-10-26T01:30:00.000Z']);
    }
    expect(nextTime({ cron: '30 2 * * *', timezone: 'Europe/Berlin' }, '2026-10-25T00:30:00.000Z')).toBe(
      '2026-10-26T01:30:00.000Z',
    );
    expect(nextTime({ cron: '30 2,14 * * *', timezone: 'Europe/Berlin' }, '2026-10-25T00:30:00.000Z')).toBe(
      '2026-10-25T13:30:00.000Z',
    );
  });

  it.each([
    ['61 * * * *', 'is no cron expression'],
    ['often', 'has not five fields'],
    ['', 'has not five fields'],
    ['0 0 3 * * *', 'has not five fields'],
    ['@reboot', 'has not five fields'],
    ['2030-01-23T00:00:00', 'has not five fields'],
    ['0 3 30 2 *', 'never comes'],
  ])('of %j is refused', async (cron, why) => {
    expect(await rejectionOf(async () => nextTime({ cron, timezone: 'UTC' }, '2026-01-01T00:00:00Z'))).toMatchObject({
      code: 'ERR_INPUT_INVALID',
      message: `${JSON.stringify(cron)} ${why}; give minute, hour, day of month, month and day of week, such as "0 3 1 * *".`,
    });
  });

  it.each(['Mars/Base', '', '+02:00'])('in the time zone %j is refused', async (timezone) => {
    expect(
      await rejectionOf(async () => nextTime({ cron: '0 3 * * *', timezone }, '2026-01-01T00:00:00Z')),
    ).toMatchObject({
      code: 'ERR_INPUT_INVALID',
      message: `There is no time zone ${JSON.stringify(timezone)}; give its IANA name, such as Europe/Berlin or UTC.`,
    });
  });
});
