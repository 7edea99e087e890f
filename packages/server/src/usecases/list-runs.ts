/** `status`: the runs, newest first, or one of them with what it could not read. */
import { FieldsealError } from 'fieldseal';
import { openStore } from '../store/open-store.js';
import type { Run, RunStatus, Store, SweepFailure } from '../store/store.js';
import type { SweepReport } from '../sweep/sweep-report.js';
import type { Dependencies, Driver } from './dependencies.js';

const LISTED_RUNS = 20;
const LISTED_FAILURES = 100;

/** A run as it is shown. */
export interface RunView extends Omit<Run, 'report' | 'owner' | 'leased' | 'fence'> {
  /** 0 to 100, of the records that there were when the run began. */
  readonly progressPercent: number;
  readonly report: SweepReport | null;
}

/** A run with some of its failures. */
export interface RunDetails extends RunView {
  readonly failures: readonly Omit<SweepFailure, 'runId'>[];
}

/** A run as it is shown. */
export function runView({ report, owner, leased, fence: _fence, ...run }: Run, driver: Driver): RunView {
  const { total, rotated, current, skipped, failed } = run.counts;
  const isOver = run.completedAt !== null && run.status !== 'cancelled' && run.status !== 'failed';
  const done = rotated + current + skipped + failed;
  // A run that says it is under way, but whose driver is gone or let its lease run out, is driven by nobody.
  const isDriven = leased && owner !== null && !driver.isGone(owner);
  const status: RunStatus = run.status === 'in_progress' && !isDriven ? 'stalled' : run.status;
  const progressPercent = isOver ? 100 : total === 0 ? 0 : Math.min(100, Math.floor((done / total) * 100));
  return { ...run, status, progressPercent, report: report === null ? null : (JSON.parse(report) as SweepReport) };
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
