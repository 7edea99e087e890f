/** `status`: the runs, newest first, or one of them with what it could not read. */
import { FieldsealError } from 'fieldseal';
import { openStore } from '../store/open-store.js';
import type { Run, RunStatus, Store, SweepFailure } from '../store/store.js';
import type { SweepReport } from '../sweep/sweep-report.js';
import type { Dependencies, Driver } from './dependencies.js';

const LISTED_RUNS = 20;
const LISTED_FAILURES = 100;

/** A run as it is shown. */
export interface RunView extends Omit<Run, 'report' | 'owner' | 'leased' | 'fence' | 'solo' | 'declaration'> {
  /** 0 to 100, of the records that there were when the run began. */
  readonly progressPercent: number;
  readonly report: SweepReport | null;
  /** Why an unfinished run is not getting on, in a sentence; null for one that is, and for one that is over. */
  readonly waitsBecause: string | null;
}

/** A run with some of its failures. */
export interface RunDetails extends RunView {
  readonly failures: readonly Omit<SweepFailure, 'runId'>[];
}

/** Whether a process drives it: one that says so may be gone, or have let its lease run out. */
export function isDriven({ leased, owner }: Run, driver: Driver): boolean {
  return leased && owner !== null && !driver.isGone(owner);
}

function reasonToWait(status: RunStatus, { owner, errorDetails }: Run): string | null {
  if (status === 'pending') return 'No process drives it yet.';
  if (status === 'paused') return 'Somebody paused it.';
  // Whoever leaves a run says why, and is its owner no more. One that is gone may have left what it waited for.
  if (status === 'stalled') return (owner === null ? errorDetails : null) ?? 'The process that drove it is gone.';
  return status === 'in_progress' ? errorDetails : null;
}

/** A run as it is shown. */
export function runView(run: Run, driver: Driver): RunView {
  const {
    report,
    owner: _owner,
    leased: _leased,
    fence: _fence,
    solo: _solo,
    declaration: _declaration,
    ...shown
  } = run;
  const { total, rotated, current, skipped, failed } = run.counts;
  const isOver = run.completedAt !== null && run.status !== 'cancelled' && run.status !== 'failed';
  const done = rotated + current + skipped + failed;
  const status: RunStatus = run.status === 'in_progress' && !isDriven(run, driver) ? 'stalled' : run.status;
  return {
    ...shown,
    status,
    progressPercent: isOver ? 100 : total === 0 ? 0 : Math.min(100, Math.floor((done / total) * 100)),
    report: report === null ? null : (JSON.parse(report) as SweepReport),
    waitsBecause: reasonToWait(status, run),
  };
}

/** Opens the store for reading only; without its tables it reads as empty. */
export async function withReadOnlyStore<T>(
  { target, schema }: Dependencies,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const store = await openStore(target, { schema, mustExist: true, readOnly: true });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** The newest runs. */
export async function listRuns(deps: Dependencies): Promise<RunView[]> {
  return withReadOnlyStore(deps, async (store) =>
    (await store.runs.list(LISTED_RUNS)).map((run) => runView(run, deps.driver)),
  );
}

/** One run. @throws FieldsealError `ERR_RUN_NOT_FOUND` */
export async function getRun(deps: Dependencies, id: number): Promise<RunDetails> {
  return withReadOnlyStore(deps, async (store) => {
    const run = await store.runs.get(id);
    if (!run) throw new FieldsealError('ERR_RUN_NOT_FOUND', `There is no run ${id}; \`fieldseal status\` lists them.`);
    const failures = await store.runs.failures(id, LISTED_FAILURES);
    return { ...runView(run, deps.driver), failures: failures.map(({ runId: _runId, ...failure }) => failure) };
  });
}
