import { it } from 'vitest';
import { PLACES } from './people.ts';
import { runSeries } from './series.ts';

const OTHERS = 'FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()';

it('connections of a rotation and a writer on PostgreSQL are cut, one or all at once', () =>
  runSeries(PLACES[1][1], {
    name: 'cut connections',
    ...{ rows: 20_000, rounds: 12, rowsPerSecond: null, longestMs: 150 },
    async fault(_rotation, people, random) {
      const cut = (limit: string) =>
        people.ask(`SELECT pg_terminate_backend(pid) FROM (SELECT pid ${OTHERS} ORDER BY pid ${limit}) AS others`);
      if (random() < 0.3) return `${(await cut('')).length} connections cut`;
      const [{ n } = { n: 0 }] = await people.ask(`SELECT count(*)::int AS n ${OTHERS}`);
      await cut(`OFFSET ${Math.floor(random() * Number(n))} LIMIT 1`);
      return 'a connection cut';
    },
  }));
