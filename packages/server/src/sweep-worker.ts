/** The composition root of a sweeping thread: it drives one run, so that the service's own thread is free to answer. */
import { parentPort, workerData } from 'node:worker_threads';
import { FieldsealError, isFieldsealError, Secret } from 'fieldseal';
import { loadConfig } from './config/load-config.js';
import type { DatabaseTarget } from './store/database-url.js';
import { thisDriver } from './this-driver.js';
import type { Dependencies } from './usecases/dependencies.js';
import { failRun, isForPerson, isPassingFault } from './usecases/fail-run.js';
import { resumeRun } from './usecases/resume-run.js';

/** What the thread is given. Keys travel as bytes, within the process. */
export interface SweepWorkerData {
  readonly run: number;
  readonly target: DatabaseTarget;
  readonly schema: string;
  readonly subjectRootFile: string | null;
  readonly keys: {
    readonly current: Uint8Array | null;
    readonly previous: readonly Uint8Array[];
    readonly root: Uint8Array | null;
  };
  readonly folder: string;
  readonly config: string | null;
}

/** What it says at its end. */
export type SweepWorkerMessage =
  | { readonly type: 'done'; readonly status: string; readonly counts: Readonly<Record<string, number>> }
  | { readonly type: 'error'; readonly code: string; readonly message: string; readonly isPassing: boolean };

const data = workerData as SweepWorkerData;
const stop = new AbortController();
// The run stays under way: whoever starts the service next goes on with it.
parentPort?.once('message', () => stop.abort('shutdown'));

const secret = (bytes: Uint8Array | null) => bytes && Secret.from(bytes);
const deps: Dependencies = {
  target: data.target,
  schema: data.schema,
  subjectRootFile: data.subjectRootFile,
  keys: {
    current: secret(data.keys.current),
    previous: data.keys.previous.map((bytes) => Secret.from(bytes)),
    root: secret(data.keys.root),
  },
  loadConfig: () => loadConfig(data.folder, data.config),
  driver: thisDriver(),
  stop: stop.signal,
  notify: () => {},
};

async function drive(): Promise<SweepWorkerMessage> {
  try {
    const report = await resumeRun(deps, data.run, {
      dryRun: false,
      maxRowsPerSecond: null,
      allowTriggers: false,
    });
    return { type: 'done', status: report.status, counts: { ...report.counts } };
  } catch (error) {
    const reason = error instanceof Error ? error.name : 'unknown';
    const known = isFieldsealError(error)
      ? error
      : new FieldsealError('ERR_INTERNAL', `A fault of Fieldseal itself: ${reason}.`);
    const isPassing = isPassingFault(known.code);
    // Whoever asks for its status learns why; left as it is, the run would be in the way of every other.
    if (!isPassing && !isForPerson(known.code)) await failRun(deps, data.run, known).catch(() => {});
    return { type: 'error', code: known.code, message: known.message, isPassing };
  }
}

parentPort?.postMessage(await drive());
parentPort?.close();
