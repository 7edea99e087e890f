/** Durations on the command line: `90s`, `15m`, `1h`, `7d`. */
import { InvalidArgumentError } from 'commander';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const MAX_SECONDS = 366 * 86_400;

/** The seconds of a duration. @throws InvalidArgumentError */
export function parseDuration(text: string): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (SECONDS[unit ?? ''] ?? Number.NaN);
  if (!(seconds >= 1 && seconds <= MAX_SECONDS))
    throw new InvalidArgumentError('Write 90s, 15m, 1h or 7d; a year at most.');
  return seconds;
}
