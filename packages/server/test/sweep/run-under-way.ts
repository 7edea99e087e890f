/** What the sweeps of both databases are tested with: how table `t` is declared, and a run that a driver has claimed. */
import { addPurposeKey, defineModel, encryptedString, type Model, type SubjectSource } from 'fieldseal';
import type { RunKind, Store, SweepRange } from '../../src/store/store.js';
import type { Checkpoint } from '../../src/sweep/sweep-database.js';
import { countedColumns, type SweptTable } from '../../src/sweep/swept-table.js';
import { emptyTally } from '../../src/sweep/tally.js';
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

/** A run whose first range is claimed, and the keys that it writes under. */
export interface RunUnderWay extends FreshRing {
  readonly fence: number;
  /** Range and failures as the database holds them. */
  bookkeeping(): Promise<{ ranges: unknown; failures: unknown }>;
}

/** Begins a range again that a batch of the test has ended. */
export const BEGIN_AGAIN = "UPDATE sweep_ranges SET state = 'running', cursor = NULL WHERE state = 'done'";

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
  await store.runs.update(runId, fence, { status: 'in_progress', declaration: 'd' });
  await store.ranges.create(runId, fence, [
    { pass: 1, seq: 0, tableName: 't', part: 'key', cursor: null, upper: null },
  ]);
  const range = (await store.ranges.claim(runId, { owner: 'driver', declaration: 'd' }, 60, [])) as SweepRange;
  return {
    run: {
      ...keys,
      ring: addPurposeKey(keys.ring, 'blind-index', Date.now()),
      fence: range.fence,
      async bookkeeping() {
        const ranges = await store.ranges.list(runId, 1);
        return {
          ranges: ranges.map(({ cursor, state, counts }) => ({ cursor, state, counts })),
          failures: await store.runs.failures(runId, 100),
        };
      },
    },
    checkpoint: (changed) => ({
      runId,
      rangeId: range.id,
      fence: range.fence,
      from: null,
      cursor: '[["integer","9"]]',
      done: true,
      tally: emptyTally(countedColumns(table)),
      ...changed,
    }),
  };
}
