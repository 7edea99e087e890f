/**
 * Runs the command line in a thread of its own. A sweep holds much for a short time, and only a thread can be given the room
 * for that: a young generation cannot be made larger once a process runs.
 */
import { SHARE_ENV, Worker } from 'node:worker_threads';
import type { HostAnswer, HostRequest } from './command-thread.js';
import type { CommandHost } from './main.js';

/**
 * Three semi-spaces of 64 MiB. What batches under way hold is copied by each collection of a small young generation: with this
 * one a sweep takes a quarter less time.
 */
export const SWEEP_YOUNG_GENERATION_MB = 192;

/** Runs what `process.argv` says, and returns the exit code. */
export async function runInThread(host: CommandHost): Promise<number> {
  const thread = new Worker(new URL('./command-thread.js', import.meta.url), {
    argv: process.argv.slice(2),
    // Keys that it has read, it deletes from the environment of the process.
    env: SHARE_ENV,
    workerData: host.isInteractive,
    resourceLimits: { maxYoungGenerationSizeMb: SWEEP_YOUNG_GENERATION_MB },
  });
  const answer = (message: HostAnswer) => thread.postMessage(message);
  thread.on('message', (request: HostRequest) => {
    if (request === 'take-signals') host.takeSignals();
    else void host.stdinLines().then(answer);
  });
  host.stop.addEventListener('abort', () => answer('stop'), { once: true });
  return new Promise((resolve, reject) => {
    thread.once('error', reject);
    thread.once('exit', resolve);
  });
}
