/** When a schedule comes next. */
import { Cron } from 'croner';
import { FieldsealError } from 'fieldseal';
import type { Schedule } from '../store/schedule.js';

function isTimezone(name: string): boolean {
  // Newer versions of Node take offsets such as +02:00 as well, which the older ones could not read back.
  if (!/^[a-z]/i.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/**
 * The first time after `after`. A time of day that the clocks skip comes right behind the gap, and one that they show twice
 * comes the first time only; with `*` or a step for minute or hour, skipped times fall away and repeated ones count each.
 * @param after RFC 3339
 * @throws FieldsealError `ERR_INPUT_INVALID` for what is no cron expression of five fields or never comes, and for an
 * unknown time zone
 * @example
 * nextTime({ cron: '30 2 * * *', timezone: 'Europe/Berlin' }, '2026-03-28T12:00:00Z'); // 2026-03-29T01:00:00.000Z
 */
export function nextTime({ cron, timezone }: Pick<Schedule, 'cron' | 'timezone'>, after: string): string {
  if (!isTimezone(timezone)) {
    throw new FieldsealError(
      'ERR_INPUT_INVALID',
      `There is no time zone ${JSON.stringify(timezone)}; give its IANA name, such as Europe/Berlin or UTC.`,
    );
  }
  const fail = (why: string) =>
    new FieldsealError(
      'ERR_INPUT_INVALID',
      `${JSON.stringify(cron)} ${why}; give minute, hour, day of month, month and day of week, such as "0 3 1 * *".`,
    );
  let next: Date | null;
  try {
    if (cron.trim().split(/\s+/).length !== 5) throw fail('has not five fields');
    // Lists of hours are fixed times too: without the rule, 30 2,14 * * * would come twice when the clocks go back.
    next = new Cron(cron, { timezone, mode: '5-part', fixedTimeRule: 'no-wildcard' }).nextRun(new Date(after));
  } catch (error) {
    throw error instanceof FieldsealError ? error : fail('is no cron expression');
  }
  if (!next) throw fail('never comes');
  return next.toISOString();
}
