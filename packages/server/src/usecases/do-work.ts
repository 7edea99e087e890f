/** Taking part in one run, and what to make of a fault. */
import type { FieldsealError } from 'fieldseal';
import type { Dependencies } from './dependencies.js';
import type { SweepOptions, SweepReport } from './drive-run.js';
import { failRun, faultOf, isForPerson, isPassingFault } from './fail-run.js';
import { POLL_MS, REFUSED_MS, RETRY_MS, type Work } from './find-work.js';
import { helpRun } from './help-run.js';
import { resumeRun } from './resume-run.js';
import { isScheduled } from './start-due.js';

const AVOID_MS = { worked: 0, nothing: POLL_MS, refused: REFUSED_MS } as const;

/** What came of it. */
export interface WorkDone {
  /** Of a run that was driven to its end. */
  readonly report: SweepReport | null;
  readonly error: FieldsealError | null;
  /** How long the same had better not be tried again, in milliseconds. */
  readonly avoidMs: number;
}

/** How a process takes part. */
export interface WorkOptions {
  /** As in {@link SweepOptions}. */
  readonly lanes: number | null;
  /** As in {@link SweepOptions}. */
  readonly maxReplicationLagSeconds: number | null;
  /**
   * Whether rotations that were asked for over HTTP, and what schedules start, are this process's own business, as they are the service's: one that was
   * begun under another declaration begins anew, and one that cannot go on by itself is failed, so that it is in nobody's
   * way. Else it is left to others, as every other run is.
   */
  readonly ownsRotations: boolean;
}

/** Drives the run, or helps with it. Nothing is thrown. */
export async function doWork(deps: Dependencies, { run, as }: Work, options: WorkOptions): Promise<WorkDone> {
  const { lanes, maxReplicationLagSeconds, ownsRotations } = options;
  const isOwn = ownsRotations && (isScheduled(run) || (run.kind === 'rotate' && run.initiatedBy !== 'cli'));
  const sweep: SweepOptions = {
    dryRun: false,
    maxRowsPerSecond: null,
    allowTriggers: false,
    lanes,
    maxReplicationLagSeconds,
    isWorker: true,
    sameDeclaration: !isOwn,
  };
  try {
    if (as === 'driver') return { report: await resumeRun(deps, run.id, sweep), error: null, avoidMs: 0 };
    const help = await helpRun(deps, run, sweep);
    return { report: null, error: null, avoidMs: AVOID_MS[help] };
  } catch (caught) {
    const error = faultOf(caught);
    // Others were faster, or somebody ended it meanwhile.
    if (/^ERR_RUN_(DRIVEN|NOT_FOUND)$/.test(error.code)) return { report: null, error: null, avoidMs: RETRY_MS };
    if (isPassingFault(error.code)) return { report: null, error, avoidMs: RETRY_MS };
    const fails = isOwn && as === 'driver' && !isForPerson(error.code);
    // Whoever asks for its status learns why; left as it is, the run would be in the way of every other.
    if (fails) await failRun(deps, run.id, error).catch(() => {});
    return { report: null, error, avoidMs: REFUSED_MS };
  }
}
