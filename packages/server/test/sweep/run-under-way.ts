/** What the sweeps of both databases are tested with: how table `t` is declared, and a run that a driver has claimed. */
import { addPurposeKey, defineModel, encryptedString, type Model, type SubjectSource } from 'fieldseal';
import type { RunKind, Store } from '../../src/store/store.js';
import type { Checkpoint } from '../../src/sweep/sweep-database.js';
import { countedColumns, type SweptTable } from '../../src/sweep/swept-table.js';
import { emptyTally, NO_RECORDS, sumCounts } from '../../src/sweep/tally.js';
import { type FreshRing, freshRing } from './fresh-ring.js';

export interface SweepSetup {
  readonly sql: string;
  /** The swept columns of `t`, encrypted strings. */
  readonly columns?: readonly string[];
  readonly primaryKey?: string | readonly string[];
  /** What declares `t`, in the place of `columns` and `primaryKey`. */
  readonly model?: Model;
  /** What kind of run the table is prepared for; `encrypt` unless told. */
  readonly kind?: RunKind;
  readonly subjects?: SubjectSource;
}

/** The declaration of `t`. */
export function modelOf({ columns = ['c'], primaryKey = 'id', model }: SweepSetup): Model {
  const declared = columns.map((column) => [column, encryptedString({ alsoReads: ['plaintext'] })]);
  return model ?? (defineModel({ t: { primaryKey, columns: Object.fromEntries(declared) } }) as Model);
}

/** A claimed run in its first range, and the keys that it writes under. */
export interface RunUnderWay extends FreshRing {
  readonly fence: number;
  /** Run, range and failures as the database holds them. */
  bookkeeping(): Promise<{ run: unknown; ranges: unknown; failures: unknown }>;
}

/** Begins a run over `table`. `checkpoint` is what a driver commits with a batch. */
export async function beginRun(
  store: Store,
  table: SweptTable,
): Promise<{ run: RunUnderWay; checkpoint: (changed: Partial<Checkpoint>) => Checkpoint }> {
  const keys = freshRing();
  const { id: runId } = await store.runs.create({
    kind: 'encrypt',
    oldKeyVersion: null,
    newKeyVersion: null,
    notes: null,
    initiatedBy: 'cli',
  });
  const fence = (await store.runs.claim(runId, 'driver', 60, false)) as number;
  await store.runs.update(runId, fence, { status: 'in_progress' });
  await store.runs.createRanges([{ runId, pass: 1, seq: 0, tableName: 't', part: 'key' }]);
  const [range] = await store.runs.ranges(runId, 1);
  return {
    run: {
      ...keys,
      ring: addPurposeKey(keys.ring, 'blind-index', Date.now()),
      fence,
      async bookkeeping() {
        const ranges = await store.runs.ranges(runId, 1);
        return {
          run: (await store.runs.get(runId))?.counts,
          ranges: ranges.map(({ cursor, state, counts }) => ({ cursor, state, counts })),
          failures: await store.runs.failures(runId, 100),
        };
      },
    },
    checkpoint: (changed) => ({
      runId,
      fence,
      rangeId: range?.id as number,
      cursor: '[["integer","9"]]',
      done: true,
      tally: emptyTally(countedColumns(table)),
      runCounts: (tally) => ({ ...NO_RECORDS, ...(tally['c'] ?? sumCounts(Object.values(tally))) }),
      ...changed,
    }),
  };
}
