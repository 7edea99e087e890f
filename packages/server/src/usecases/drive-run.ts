/** From "start this kind of sweep" to its report: find or make the run, claim it, walk its passes, close it. */
import { FieldsealError, isFieldsealError, type KeyringSnapshot } from 'fieldseal';
import type { NewRun, Run, RunKind, RunStatus, Store, StoreTransaction } from '../store/store.js';
import type { Brake } from '../sweep/brake.js';
import { declarationDigest } from '../sweep/declaration-digest.js';
import { HEARTBEAT_MS, LEASE_SECONDS } from '../sweep/lease.js';
import type { RangeWorker } from '../sweep/range-lanes.js';
import { dryRunPass, type PassContext, type PassesResult, runPasses } from '../sweep/run-passes.js';
import type { ColumnReport, SweepReport } from '../sweep/sweep-report.js';
import { countedColumns, type SweptTable } from '../sweep/swept-table.js';
import { sumCounts, sumHeld } from '../sweep/tally.js';
import type { FailureReason } from '../sweep/transform.js';
import type { Dependencies, Driver } from './dependencies.js';
import { brakeFor } from './hold-back.js';
import { declarationOf } from './key-history.js';
import type { OpenTables } from './open-tables.js';

export type { SweepReport };

/** What every sweep can be told. */
export interface SweepOptions {
  readonly dryRun: boolean;
  /** Null: no limit. */
  readonly maxRowsPerSecond: number | null;
  readonly allowTriggers: boolean;
  /** How many seconds a standby may be behind before this process waits for it; none unless told. PostgreSQL only. */
  readonly maxReplicationLagSeconds?: number | null;
  /** Others may help even so: a worker's bound is its own, and each worker is told one. */
  readonly isWorker?: boolean;
  /** How many ranges this process walks at the same time, where the database has ranges; 2 unless told. */
  readonly lanes?: number | null;
  /** Goes on with that run, and never begins another. */
  readonly onlyRun?: number;
  /** Refuses a run that was begun under another declaration, in the place of beginning it anew. */
  readonly sameDeclaration?: boolean;
}

/** One reads and enciphers while the other's rows are being written. */
const DEFAULT_LANES = 2;

/** What to open tables with for a sweep. With a limit there is one lane, which alone knows how fast it is. */
export function openedFor(kind: RunKind, options: SweepOptions) {
  const { dryRun, allowTriggers, maxRowsPerSecond, maxReplicationLagSeconds = null, lanes } = options;
  const isOne = dryRun || maxRowsPerSecond !== null;
  return {
    kind,
    readOnly: dryRun,
    dryRun,
    // A verify writes nothing that they would run on.
    allowTriggers: allowTriggers || kind === 'verify',
    maxReplicationLagSeconds,
    lanes: isOne ? 1 : (lanes ?? DEFAULT_LANES),
  };
}

/** Whether the run is its driver's alone: others do not know the bounds that it was started with. */
function isSolo({ maxRowsPerSecond, maxReplicationLagSeconds = null, isWorker = false }: SweepOptions): boolean {
  return maxRowsPerSecond !== null || (maxReplicationLagSeconds !== null && !isWorker);
}

/** A run that this process drives. */
export interface ClaimedRun {
  readonly run: Run;
  readonly fence: number;
}

/**
 * The unfinished run of this kind, if there is one; or the one that is named.
 * @throws FieldsealError `ERR_RUN_UNFINISHED` for one of another kind, `ERR_RUN_NOT_FOUND` when the named one is over by now
 */
export async function findUnfinished({ runs }: StoreTransaction, kind: RunKind, onlyRun?: number): Promise<Run | null> {
  if (onlyRun !== undefined) {
    const run = await runs.get(onlyRun);
    if (run?.kind === kind && run.completedAt === null) return run;
    throw new FieldsealError('ERR_RUN_NOT_FOUND', `Run ${onlyRun} is over; there is nothing to go on with.`);
  }
  const unfinished = await runs.unfinished();
  const own = unfinished.find((run) => run.kind === kind);
  // A verify writes nothing and is in nobody's way.
  const other = unfinished.find((run) => run.kind !== 'verify' && run.kind !== kind);
  if (own || kind === 'verify' || !other) return own ?? null;
  throw new FieldsealError(
    'ERR_RUN_UNFINISHED',
    `Run ${other.id} (${other.kind}) is unfinished; finish it with \`fieldseal resume ${other.id}\` or give it up with \`fieldseal cancel ${other.id}\`.`,
  );
}

interface NewRunOptions extends Pick<SweepOptions, 'onlyRun'> {
  /** What a new run brings with it. */
  also?(tx: StoreTransaction): Promise<void>;
}

/**
 * The unfinished run of this kind, or a new one with its audit row; all in one transaction, so that two processes that
 * start at once get the same run. A new one is this process's from the first moment: else a worker could take it before it
 * is driven.
 */
export async function findOrCreateRun(
  { driver }: Dependencies,
  store: Store,
  run: NewRun,
  tables: readonly SweptTable[],
  { also, onlyRun }: NewRunOptions = {},
): Promise<Run> {
  return store.exclusiveTransaction(async (tx) => {
    const unfinished = await findUnfinished(tx, run.kind, onlyRun);
    if (unfinished) return unfinished;
    await also?.(tx);
    const declaration = declarationDigest(tables);
    const created = await tx.runs.create({ ...run, declaration });
    await tx.runs.claim(created.id, driver.owner, LEASE_SECONDS, false);
    await auditRun(tx, created, 'started', { declaration });
    return created;
  });
}

async function auditRun(tx: StoreTransaction, run: Run, what: string, details: Record<string, unknown>): Promise<void> {
  await tx.audit.insert({
    action: `${run.kind}_${what}`,
    resourceType: 'sweep_run',
    resourceId: String(run.id),
    status: what === 'completed_with_failures' ? 'failure' : 'success',
    details: JSON.stringify({
      initiatedBy: run.initiatedBy,
      oldKeyVersion: run.oldKeyVersion,
      newKeyVersion: run.newKeyVersion,
      ...details,
    }),
  });
}

/** Becomes the run's driver. @throws FieldsealError `ERR_RUN_DRIVEN` when another live process is */
async function claimRun({ driver }: Dependencies, store: Store, run: Run, options: SweepOptions): Promise<ClaimedRun> {
  const ownerIsGone = run.owner !== null && driver.isGone(run.owner);
  const by = options.isWorker ? ('worker' as const) : undefined;
  const claimed = await store.transaction(async (tx): Promise<ClaimedRun | null> => {
    const before = await tx.runs.get(run.id);
    const fence = await tx.runs.claim(run.id, driver.owner, LEASE_SECONDS, ownerIsGone, by);
    const found = fence === null ? null : await tx.runs.get(run.id);
    const change = { status: 'in_progress' as const, errorDetails: null, solo: isSolo(options) };
    if (fence === null || !found || !(await tx.runs.update(run.id, fence, change))) return null;
    if (before?.status === 'paused') await auditRun(tx, found, 'resumed', {});
    return { run: found, fence };
  });
  if (!claimed) {
    throw new FieldsealError(
      'ERR_RUN_DRIVEN',
      `Run ${run.id} is driven by another process; see \`fieldseal status ${run.id}\`.`,
    );
  }
  return claimed;
}

function columnReports(context: PassContext, { first, last }: PassesResult): ColumnReport[] {
  return context.tables.flatMap((table) => {
    const { name, isOwn } = table;
    const reports = countedColumns(table).map((column) => {
      const tallies = (ranges: PassesResult['first']) =>
        ranges.flatMap(({ table, tally }) => (table === name && tally[column] ? [tally[column]] : []));
      return { table: name, column, ...sumCounts(tallies(first)), held: sumHeld(tallies(last)) };
    });
    // What nobody declared is worth a line only when there is something in it.
    return isOwn ? reports.filter(({ total, held }) => total > 0 || Object.keys(held).length > 0) : reports;
  });
}

/** What a dry run came to: the report that the real one would begin with. */
export async function dryRun(context: PassContext, oldKeyVersion: string | null): Promise<SweepReport> {
  const startedMs = performance.now();
  const failures = new Map<string, SweepReport['failures'][number]>();
  const result = await dryRunPass(context, ({ table, column, reason }) => {
    const name = JSON.stringify([table, column, reason]);
    failures.set(name, { table, column, reason, count: (failures.get(name)?.count ?? 0) + 1 });
  });
  const counts = sumCounts(columnReports(context, result));
  return {
    run: null,
    kind: context.kind,
    dryRun: true,
    status: counts.failed > 0 ? 'completed_with_failures' : 'completed',
    oldKeyVersion,
    newKeyVersion: context.newKeyVersion,
    counts,
    columns: columnReports(context, result),
    failures: [...failures.values()],
    left: 0,
    passes: 1,
    seconds: (performance.now() - startedMs) / 1000,
  };
}

async function finish(
  store: Store,
  { run, fence }: ClaimedRun,
  context: PassContext,
  result: PassesResult,
): Promise<SweepReport> {
  const reasons = await store.runs.failureReasons(run.id);
  const failures = reasons.map(({ tableName, columnName, reason, count }) => {
    return { table: tableName, column: columnName, reason: reason as FailureReason, count };
  });
  const status: RunStatus = failures.length > 0 || result.left > 0 ? 'completed_with_failures' : 'completed';
  const columns = columnReports(context, result);
  const sum = sumCounts(columns);
  const counts = { ...sum, total: sum.total + result.late, rotated: sum.rotated + result.late };
  const report: SweepReport = {
    run: run.id,
    kind: run.kind,
    dryRun: false,
    status,
    oldKeyVersion: run.oldKeyVersion,
    newKeyVersion: run.newKeyVersion,
    counts,
    columns,
    failures,
    left: result.left,
    passes: result.passes,
    seconds: (Date.now() - Date.parse(run.createdAt)) / 1000,
  };
  const errorDetails =
    result.left > 0
      ? `${result.left} values were not reached; another process may still write them the old way.`
      : null;
  await store.transaction(async (tx) => {
    const change = { status, counts, report: JSON.stringify(report), errorDetails, release: true };
    if (!(await tx.runs.update(run.id, fence, change))) throw lost(run.id);
    await auditRun(tx, run, status, { ...counts, left: result.left });
  });
  return report;
}

function lost(id: number): FieldsealError {
  return new FieldsealError(
    'ERR_RUN_LOST',
    `Run ${id} was stopped or taken over by another process; see \`fieldseal status ${id}\`.`,
  );
}

/**
 * A run that was begun under another declaration begins anew: what it has done would otherwise count for columns that it
 * never looked at.
 */
async function beginAnewIfOther(
  store: Store,
  { run, fence }: ClaimedRun,
  tables: readonly SweptTable[],
): Promise<void> {
  const declaration = declarationDigest(tables);
  if (run.declaration === declaration) return;
  await store.transaction(async (tx) => {
    const before = await declarationOf(tx, run);
    if (before !== null && before !== declaration) {
      if (!(await tx.runs.restart(run.id, fence))) throw lost(run.id);
      await auditRun(tx, run, 'restarted', { declaration });
    }
    if (!(await tx.runs.update(run.id, fence, { declaration }))) throw lost(run.id);
  });
}

/** Leaves the run so that it can go on later, and says so. Its checkpoint is in the database already. */
async function pause(stop: AbortSignal, store: Store, { run, fence }: ClaimedRun, error: unknown): Promise<never> {
  if (isFieldsealError(error) && error.code === 'ERR_RUN_LOST') {
    const now = await store.runs.get(run.id);
    if (now?.status === 'paused' || now?.status === 'cancelled') {
      throw new FieldsealError('ERR_RUN_STOPPED', `Run ${run.id} was ${now.status} from elsewhere.`);
    }
    throw lost(run.id);
  }
  const isStop = isFieldsealError(error) && error.code === 'ERR_RUN_STOPPED';
  const reason = isFieldsealError(error) ? error.message : 'An unexpected error.';
  // Only people pause. A run that a fault or a shutdown interrupts stays under way, driven by nobody: it counts as stalled,
  // and the service goes on with its rotations by itself. The database may be what failed; then the lease runs out.
  const isPause = isStop && stop.reason !== 'shutdown';
  await store
    .transaction(async (tx) => {
      const change = isPause
        ? { status: 'paused' as const, errorDetails: null }
        : { errorDetails: isStop ? null : reason };
      if (!(await tx.runs.update(run.id, fence, { ...change, release: true }))) return;
      if (isPause) await auditRun(tx, run, 'paused', {});
    })
    .catch(() => {});
  if (isStop)
    throw new FieldsealError(
      'ERR_RUN_STOPPED',
      `Run ${run.id} is paused; \`fieldseal resume ${run.id}\` goes on from there.`,
    );
  throw error;
}

/**
 * Drives a run to its end. `prepare` runs after the claim and returns the ring to sweep with.
 * @throws FieldsealError `ERR_RUN_DRIVEN`, `ERR_RUN_STOPPED`, `ERR_RUN_LOST`, and those of the database
 */
export async function driveRun(
  deps: Dependencies,
  open: OpenTables,
  run: Run,
  options: SweepOptions,
  prepare: (claimed: ClaimedRun) => Promise<KeyringSnapshot>,
): Promise<SweepReport> {
  const { store, tables } = open;
  const begunUnder = options.sameDeclaration ? await declarationOf(store, run) : null;
  if (begunUnder !== null && begunUnder !== declarationDigest(tables)) {
    throw new FieldsealError('ERR_CONFIG_INVALID', `Run ${run.id} was begun under another declaration than this one.`);
  }
  const claimed = await claimRun(deps, store, run, options);
  deps.notify({ type: 'run', run: run.id, kind: run.kind, resumed: run.status !== 'pending' });
  // Waiting and counting take longer than a lease as well; a heartbeat that is lost changes nothing: the fence decides.
  const heartbeat = setInterval(() => {
    store.runs.heartbeat(run.id, claimed.fence, LEASE_SECONDS).catch(() => {});
  }, HEARTBEAT_MS);
  try {
    await beginAnewIfOther(store, claimed, tables);
    const ring = await prepare(claimed);
    const brake = brakeFor(deps, open, claimed);
    const context = passContext(deps, run.kind, run.newKeyVersion, ring, open, options, brake);
    return await finish(store, claimed, context, await runPasses(store, claimed.run, claimed.fence, context));
  } catch (error) {
    return await pause(deps.stop, store, claimed, error);
  } finally {
    clearInterval(heartbeat);
  }
}

/** How this process claims ranges of these tables. */
export function workerOf(driver: Driver, tables: readonly SweptTable[]): RangeWorker {
  return { owner: driver.owner, isGone: (owner) => driver.isGone(owner), declaration: declarationDigest(tables) };
}

/** What the passes of a run need, put together. */
export function passContext(
  { stop, notify, driver }: Dependencies,
  kind: RunKind,
  newKeyVersion: string | null,
  ring: KeyringSnapshot,
  { tables, lanes }: Pick<OpenTables, 'tables' | 'lanes'>,
  { maxRowsPerSecond }: SweepOptions,
  brake: Brake | null = null,
): PassContext {
  const pace = { stop, maxRowsPerSecond, brake };
  return {
    kind,
    newKeyVersion,
    tables,
    ring,
    lanes,
    worker: workerOf(driver, tables),
    pace,
    onProgress: (progress) => notify({ type: 'progress', ...progress }),
  };
}
