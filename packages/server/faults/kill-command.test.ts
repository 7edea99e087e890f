import { describe, it } from 'vitest';
import { PLACES } from './people.ts';
import { runSeries, type Series } from './series.ts';

const fault: Series['fault'] = async (rotation) => {
  await rotation.kill();
  return 'SIGKILL of the command';
};

describe.each(PLACES)('a command that rotates on %s beside a writer', (place, on) => {
  it('is killed again and again, slowed down so that every kill hits', () =>
    runSeries(on, {
      name: `${place}, slow command`,
      rows: 6_000,
      rounds: 9,
      rowsPerSecond: 2_500,
      longestMs: 300,
      fault,
    }));

  it('is killed again and again at full speed', () =>
    runSeries(on, {
      name: `${place}, fast command`,
      rows: 30_000,
      rounds: 7,
      rowsPerSecond: null,
      longestMs: 400,
      fault,
    }));
});
