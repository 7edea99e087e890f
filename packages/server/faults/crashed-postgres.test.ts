import { it } from 'vitest';
import { onServer } from './people.ts';
import { CRASHES, withPrivatePostgres } from './private-postgres.ts';
import { runSeries } from './series.ts';

it('PostgreSQL itself crashes again and again under a rotation and a writer', () =>
  withPrivatePostgres(({ url, crash }) => {
    let round = 0;
    return runSeries(onServer(url), {
      name: 'crashed PostgreSQL',
      ...{ rows: 8_000, rounds: 9, rowsPerSecond: 3_000, longestMs: 500 },
      async fault() {
        const how = CRASHES[round++ % CRASHES.length] as (typeof CRASHES)[number];
        await crash(how);
        return how;
      },
    });
  }));
