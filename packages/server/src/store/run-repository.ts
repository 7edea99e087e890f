/** Runs and their failures. What claims or changes a run under a fence is one transaction each. */
import { type ExpressionBuilder, type Kysely, type Selectable, sql } from 'kysely';
import { type DatabaseClock, leaseUntil } from './database-clock.js';
import { inTransaction } from './in-transaction.js';
import { countsSoFar, fenceOffRanges } from './range-repository.js';
import type { StoreSchema } from './schema.js';
import { FINAL_STATUSES, type Run, type RunRepository, type RunStatus } from './store.js';

export function runRepository(db: Kysely<StoreSchema>, clock: DatabaseClock): RunRepository {
  const leased = sql<boolean | number | null>`owner is not null and lease_until > ${clock.unixMilliseconds}`;
  /** A run is as far as its ranges are, whose counts commit with the rows. One that came to its end has counts of its own. */
  const counted = async (run: Run): Promise<Run> =>
    run.report === null ? { ...run, counts: await countsSoFar(db, run) } : run;
  const runs = () => db.selectFrom('encryption_key_rotations').selectAll().select(leased.as('leased'));

  return {
    async create(run) {
      const row = await db
        .insertInto('encryption_key_rotations')
        .values({
          kind: run.kind,
          old_key_version: run.oldKeyVersion,
          new_key_version: run.newKeyVersion,
          notes: run.notes,
          initiated_by: run.initiatedBy,
          declaration: run.declaration ?? null,
        })
        .returningAll()
        .returning(leased.as('leased'))
        .executeTakeFirstOrThrow();
      return toRun(row);
    },

    async get(id) {
      const row = await runs().where('id', '=', id).executeTakeFirst();
      return row ? counted(toRun(row)) : null;
    },

    async list(limit, { kind, beforeId } = {}) {
      let query = runs().orderBy('id', 'desc').limit(limit);
      if (kind !== undefined) query = query.where('kind', '=', kind);
      if (beforeId !== undefined) query = query.where('id', '<', beforeId);
      return Promise.all((await query.execute()).map((row) => counted(toRun(row))));
    },

    async unfinished() {
      return (await runs().where(isUnfinished).orderBy('id').execute()).map(toRun);
    },

    async claim(id, owner, leaseSeconds, evenIfLeased, by) {
      let claim = db
        .updateTable('encryption_key_rotations')
        .set((row) => ({
          owner,
          lease_until: leaseUntil(clock, leaseSeconds),
          fence: row('fence', '+', 1),
          updated_at: clock.timestamp,
        }))
        .where('id', '=', id)
        .where(isUnfinished);
      if (by === 'worker') {
        claim = claim.where((row) =>
          row.or([
            row('rotation_status', '=', 'pending'),
            row.and([row('rotation_status', '=', 'in_progress'), row('solo', '=', sql<boolean>`false`)]),
          ]),
        );
      }
      if (!evenIfLeased) {
        claim = claim.where(
          sql<boolean>`(owner is null or owner = ${owner} or lease_until is null or lease_until <= ${clock.unixMilliseconds})`,
        );
      }
      return (await claim.returning('fence').executeTakeFirst())?.fence ?? null;
    },

    async heartbeat(id, fence, leaseSeconds) {
      const beaten = await db
        .updateTable('encryption_key_rotations')
        .set({ lease_until: leaseUntil(clock, leaseSeconds) })
        .where('id', '=', id)
        .where('fence', '=', fence)
        // A run that was released has no lease to prolong: a heartbeat that comes late must not give it one.
        .where('owner', 'is not', null)
        .returning('id')
        .executeTakeFirst();
      return beaten !== undefined;
    },

    async update(id, fence, change) {
      const { status, pass, counts, oldKeyVersion, newKeyVersion, errorDetails, report, solo, declaration, release } =
        change;
      return inTransaction(db, async (tx) => {
        let update = tx
          .updateTable('encryption_key_rotations')
          .set({
            updated_at: clock.timestamp,
            ...(status !== undefined && { rotation_status: status }),
            ...(status !== undefined && isFinal(status) && { completed_at: clock.timestamp }),
            ...(pass !== undefined && { pass }),
            ...(counts && {
              total_records: counts.total,
              rotated_records: counts.rotated,
              current_records: counts.current,
              skipped_records: counts.skipped,
              failed_records: counts.failed,
            }),
            ...(oldKeyVersion !== undefined && { old_key_version: oldKeyVersion }),
            ...(newKeyVersion !== undefined && { new_key_version: newKeyVersion }),
            ...(errorDetails !== undefined && { error_details: errorDetails }),
            ...(report !== undefined && { report }),
            ...(declaration !== undefined && { declaration }),
            ...(solo !== undefined && { solo: solo ? sql`true` : sql`false` }),
            ...(release === true && { owner: null, lease_until: null }),
          })
          .where('id', '=', id)
          .where('fence', '=', fence);
        if (status !== undefined) update = update.where(isUnfinished);
        if ((await update.returning('id').executeTakeFirst()) === undefined) return false;
        // One that goes alone from now on is no longer helped, not even to the end of a range.
        if ((status !== undefined && status !== 'in_progress') || solo === true) await fenceOffRanges(tx, id);
        return true;
      });
    },

    async stop(id, status) {
      return inTransaction(db, async (tx) => {
        const stopped = await tx
          .updateTable('encryption_key_rotations')
          .set((row) => ({
            rotation_status: status,
            fence: row('fence', '+', 1),
            owner: null,
            lease_until: null,
            updated_at: clock.timestamp,
            ...(isFinal(status) && { completed_at: clock.timestamp }),
            // What it waited for is not why it waits now.
            ...(status === 'paused' && { error_details: null }),
          }))
          .where('id', '=', id)
          .where(isUnfinished)
          .returning('id')
          .executeTakeFirst();
        if (stopped) await fenceOffRanges(tx, id);
        return stopped !== undefined;
      });
    },

    async restart(id, fence) {
      return inTransaction(db, async (trx) => {
        const restarted = await trx
          .updateTable('encryption_key_rotations')
          .set({ pass: 1, updated_at: clock.timestamp })
          .where('id', '=', id)
          .where('fence', '=', fence)
          .where(isUnfinished)
          .returning('id')
          .executeTakeFirst();
        if (!restarted) return false;
        await trx.deleteFrom('sweep_ranges').where('run_id', '=', id).execute();
        await trx.deleteFrom('sweep_failures').where('run_id', '=', id).execute();
        return true;
      });
    },

    failures(runId, limit) {
      return db
        .selectFrom('sweep_failures')
        .select([
          'run_id as runId',
          'table_name as tableName',
          'column_name as columnName',
          'primary_key as primaryKey',
          'reason',
        ])
        .where('run_id', '=', runId)
        .orderBy('table_name')
        .orderBy('column_name')
        .orderBy('primary_key')
        .limit(limit)
        .execute();
    },

    failureReasons(runId) {
      return db
        .selectFrom('sweep_failures')
        .select(['table_name as tableName', 'column_name as columnName', 'reason'])
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('run_id', '=', runId)
        .groupBy(['table_name', 'column_name', 'reason'])
        .orderBy('table_name')
        .orderBy('column_name')
        .orderBy('reason')
        .execute();
    },
  };
}

function isUnfinished(row: ExpressionBuilder<StoreSchema, 'encryption_key_rotations'>) {
  return row('rotation_status', 'not in', FINAL_STATUSES);
}

function isFinal(status: RunStatus): boolean {
  return (FINAL_STATUSES as readonly RunStatus[]).includes(status);
}

function toRun(row: Selectable<StoreSchema['encryption_key_rotations']> & { leased: boolean | number | null }): Run {
  return {
    id: row.id,
    kind: row.kind,
    status: row.rotation_status,
    oldKeyVersion: row.old_key_version,
    newKeyVersion: row.new_key_version,
    createdAt: row.timestamp,
    updatedAt: row.updated_at,
    completedAt: row.completed_at,
    counts: {
      total: row.total_records,
      rotated: row.rotated_records,
      current: row.current_records,
      skipped: row.skipped_records,
      failed: row.failed_records,
    },
    notes: row.notes,
    errorDetails: row.error_details,
    initiatedBy: row.initiated_by,
    pass: row.pass,
    owner: row.owner,
    // SQLite answers a comparison with 0, 1 or NULL.
    leased: Boolean(row.leased),
    fence: row.fence,
    report: row.report,
    solo: Boolean(row.solo),
    // A store that is only read may have the tables of before.
    declaration: row.declaration ?? null,
  };
}
