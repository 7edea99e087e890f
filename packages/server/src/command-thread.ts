/** The composition root of a thread that runs a command; what it needs of the process, it asks `run-in-thread.ts` for. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { runCommand } from './main.js';

/** What the thread asks for. */
export type HostRequest = 'take-signals' | 'stdin-lines';
/** What it is told: to come to its end, or the lines of standard input. */
export type HostAnswer = 'stop' | string[];

const port = parentPort as MessagePort;
const ask = (request: HostRequest) => port.postMessage(request);
const stop = new AbortController();
let takeLines: ((lines: string[]) => void) | null = null;

port.on('message', (answer: HostAnswer) => {
  if (answer === 'stop') stop.abort();
  else takeLines?.(answer);
});
process.exitCode = await runCommand({
  isInteractive: workerData as boolean,
  stop: stop.signal,
  takeSignals: () => ask('take-signals'),
  stdinLines: () =>
    new Promise((resolve) => {
      takeLines = resolve;
      ask('stdin-lines');
    }),
});
port.close();
