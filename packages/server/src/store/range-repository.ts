/** The ranges of runs. A claim takes its range in one transaction that no stop of the run can overlook. */
import { type ExpressionBuilder, type Kysely, type Selectable, sql } from 'kysely';
import { type DatabaseClock, leaseUntil } from './database-clock.js';
import { inTransaction } from './in-transaction.js';
import type { StoreSchema } from './schema.js';
import type { Dialect, RangeRepository, RecordCounts, SweepRange } from './store.js';

/** SQLite binds at most 32,766 values in one statement. */
const RANGES_PER_INSERT = 1_000;

/** Whoever walks a range of the run writes nothing any more: after a pause, or at the run's end. */
export async function fenceOffRanges(db: Kysely<StoreSchema>, runId: number): Promise<void> {
  await db
    .updateTable('sweep_ranges')
    .set((row) => ({ state: 'open', owner: null, lease_until: null, fence: row('fence', '+', 1) }))
    .where('run_id', '=', runId)
    .where('state', '=', 'running')
    .execute();
}

/**
 * What the ranges of a run have counted: each record once by the first pass, and again if a later pass rewrote it.
 * `total` is what was counted beforehand, until more has come. Without ranges the run's own row says it: of one that has not
 * begun, or that the Python original made.
 */
export async function countsSoFar(
  db: Kysely<StoreSchema>,
  { id, counts }: { readonly id: number; readonly counts: RecordCounts },
): Promise<RecordCounts> {
  const rows = await db.selectFrom('sweep_ranges').select(['pass', 'counts']).where('run_id', '=', id).execute();
  if (rows.length === 0) return counts;
  const sum = { total: 0, rotated: 0, current: 0, skipped: 0, failed: 0 };
  for (const { pass, counts: tally } of rows) {
    for (const column of Object.values(JSON.parse(tally) as Record<string, RecordCounts>)) {
      if (pass === 1) for (const name of Object.keys(sum) as (keyof RecordCounts)[]) sum[name] += column[name];
      else if (pass % 2 === 1) {
        sum.total += column.rotated;
        sum.rotated += column.rotated;
      }
    }
  }
  return { ...sum, total: Math.max(counts.total, sum.total) };
}

export function rangeRepository(db: Kysely<StoreSchema>, dialect: Dialect, clock: DatabaseClock): RangeRepository {
  const isFree = (gone: readonly string[]) => (row: ExpressionBuilder<StoreSchema, 'sweep_ranges'>) =>
    row.or([
      row('state', '=', 'open'),
      row.and([
        row('state', '=', 'running'),
        row.or([
          row('lease_until', '<=', clock.unixMilliseconds),
          ...(gone.length > 0 ? [row('owner', 'in', gone)] : []),
        ]),
      ]),
    ]);
  const underWay = (from: Kysely<StoreSchema>, runId: number) =>
    from
      .selectFrom('encryption_key_rotations')
      .select('pass')
      .where('id', '=', runId)
      .where('rotation_status', '=', 'in_progress')
      // A decryption goes on only as long as somebody drives it.
      .where((row) => row.or([row('kind', '!=', 'decrypt'), row('lease_until', '>', clock.unixMilliseconds)]));
  const next = (from: Kysely<StoreSchema>, runId: number, pass: number, gone: readonly string[]) =>
    from
      .selectFrom('sweep_ranges')
      .select('id')
      .where('run_id', '=', runId)
      .where('pass', '=', pass)
      .where(isFree(gone))
      .orderBy('seq')
      .limit(1);

  return {
    create(runId, fence, ranges) {
      return inTransaction(db, async (tx) => {
        let run = tx
          .selectFrom('encryption_key_rotations')
          .select('id')
          .where('id', '=', runId)
          .where('fence', '=', fence);
        if (dialect === 'postgres') run = run.forShare();
        if (!(await run.executeTakeFirst())) return false;
        const rows = ranges.map(({ pass, seq, tableName, part, cursor, upper }) => {
          return { run_id: runId, pass, seq, table_name: tableName, part, cursor, upper };
        });
        for (let from = 0; from < rows.length; from += RANGES_PER_INSERT) {
          await tx
            .insertInto('sweep_ranges')
            .values(rows.slice(from, from + RANGES_PER_INSERT))
            .execute();
        }
        return true;
      });
    },

    async list(runId, pass) {
      const rows = await db
        .selectFrom('sweep_ranges')
        .selectAll()
        .where('run_id', '=', runId)
        .where('pass', '=', pass)
        .orderBy('seq')
        .execute();
      return rows.map(toRange);
    },

    claim(runId, { owner, declaration }, leaseSeconds, gone) {
      return inTransaction(db, async (tx) => {
        // A stop of the run waits until the claim is there to be fenced off, or the claim finds the run stopped. So it is with
        // one that begins anew under another declaration.
        const run = underWay(tx, runId)
          .where('declaration', '=', declaration)
          .where((row) => row.or([row('solo', '=', sql<boolean>`false`), row('owner', '=', owner)]));
        const found = await (dialect === 'postgres' ? run.forShare() : run).executeTakeFirst();
        if (!found) return null;
        const free = next(tx, runId, found.pass, gone);
        const claimed = await tx
          .updateTable('sweep_ranges')
          .set((row) => ({
            state: 'running',
            owner,
            lease_until: leaseUntil(clock, leaseSeconds),
            fence: row('fence', '+', 1),
          }))
          .where('id', '=', dialect === 'postgres' ? free.forNoKeyUpdate().skipLocked() : free)
          .returningAll()
          .executeTakeFirst();
        return claimed ? toRange(claimed) : null;
      });
    },

    async isClaimable(runId, gone) {
      const run = await underWay(db, runId).executeTakeFirst();
      return run !== undefined && (await next(db, runId, run.pass, gone).executeTakeFirst()) !== undefined;
    },

    async owners(runId) {
      const rows = await db
        .selectFrom('sweep_ranges')
        .select('owner')
        .distinct()
        .where('run_id', '=', runId)
        .where('state', '=', 'running')
        .execute();
      return rows.flatMap(({ owner }) => owner ?? []);
    },

    async heartbeat(id, fence, leaseSeconds) {
      const beaten = await db
        .updateTable('sweep_ranges')
        .set({ lease_until: leaseUntil(clock, leaseSeconds) })
        .where('id', '=', id)
        .where('fence', '=', fence)
        .where('state', '=', 'running')
        .returning('id')
        .executeTakeFirst();
      return beaten !== undefined;
    },

    async release(id, fence) {
      await db
        .updateTable('sweep_ranges')
        .set({ state: 'open', owner: null, lease_until: null })
        .where('id', '=', id)
        .where('fence', '=', fence)
        .where('state', '=', 'running')
        .execute();
    },
  };
}

function toRange(row: Selectable<StoreSchema['sweep_ranges']>): SweepRange {
  return {
    id: row.id,
    runId: row.run_id,
    pass: row.pass,
    seq: row.seq,
    tableName: row.table_name,
    part: row.part,
    state: row.state,
    cursor: row.cursor,
    upper: row.upper,
    owner: row.owner,
    fence: row.fence,
    counts: row.counts,
  };
}
