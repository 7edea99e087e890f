/** The composition root of a sweeping thread: it works on one run, so that the service's own thread is free to answer. */
import { parentPort, workerData } from 'node:worker_threads';
import { Secret } from 'fieldseal';
import { loadConfig } from './config/load-config.js';
import type { DatabaseTarget } from './store/database-url.js';
import { thisDriver } from './this-driver.js';
import type { Dependencies } from './usecases/dependencies.js';
import { doWork, type WorkOptions } from './usecases/do-work.js';
import type { Work } from './usecases/find-work.js';

/** What the thread is given. Keys travel as bytes, within the process. */
export interface SweepWorkerData {
  readonly work: Work;
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
  /** As in {@link WorkOptions}. */
  readonly maxReplicationLagSeconds: WorkOptions['maxReplicationLagSeconds'];
}

/** What it says at its end. */
export interface SweepWorkerMessage {
  /** Null: it did not come to its end here. */
  readonly done: { readonly status: string; readonly counts: Readonly<Record<string, number>> } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** How long the same had better not be tried again, in milliseconds. */
  readonly avoidMs: number;
}

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

const { report, error, avoidMs } = await doWork(deps, data.work, {
  lanes: null,
  maxReplicationLagSeconds: data.maxReplicationLagSeconds,
  ownsRotations: true,
});
const message: SweepWorkerMessage = {
  done: report && { status: report.status, counts: { ...report.counts } },
  error: error && { code: error.code, message: error.message },
  avoidMs,
};
parentPort?.postMessage(message);
parentPort?.close();
