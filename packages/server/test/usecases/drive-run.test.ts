import { describe, expect, it } from 'vitest';
import type { DatabaseTarget } from '../../src/store/database-url.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { RunKind } from '../../src/store/store.ts';
import { findOrCreateRun } from '../../src/usecases/drive-run.ts';
import { withPostgresSchema } from '../postgres.ts';
import { withProject } from '../with-project.ts';
import { bareDependencies } from './bare-dependencies.ts';

const newRun = (kind: RunKind) => ({ kind, oldKeyVersion: null, newKeyVersion: null, notes: null, initiatedBy: 'cli' });

type Place = (work: (target: DatabaseTarget, schema: string) => Promise<void>) => Promise<void>;

const PLACES: [string, Place][] = [
  ['SQLite', (work) => withProject({ sql: '' }, ({ file }) => work({ dialect: 'sqlite', file }, 'fieldseal'))],
  [
    'PostgreSQL',
    (work) => withPostgresSchema(({ url, schema }) => work({ dialect: 'postgres', connectionString: url }, schema)),
  ],
];

describe.each(PLACES)('processes that start sweeps at once on %s', (_name, place) => {
  it('get one run of a kind, and an encrypt and a decrypt never both', () =>
    place(async (target, schema) => {
      const stores = await Promise.all(Array.from({ length: 6 }, () => openStore(target, { schema })));
      // What a new run brings with it takes a while, so that the others come in between.
      const start = (i: number, kind: RunKind) =>
        findOrCreateRun(bareDependencies({ target }), stores[i] as (typeof stores)[0], newRun(kind), [], {
          async also(tx) {
            for (let n = 0; n < 20; n++) await tx.runs.list(1);
          },
        });
      const started = await Promise.allSettled(stores.map((_, i) => start(i, i % 2 === 0 ? 'encrypt' : 'decrypt')));
      const ids = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value.id] : []));
      expect(ids).toEqual([1, 1, 1]);
      for (const result of started) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ERR_RUN_UNFINISHED' });
      }
      // No worker takes it before it is driven.
      expect(await stores[0]?.runs.list(10)).toMatchObject([{ status: 'pending', owner: 'test', leased: true }]);
      await Promise.all(stores.map((store) => store.close()));
    }));
});
