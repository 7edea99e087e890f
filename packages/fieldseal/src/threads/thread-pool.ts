/** The threads of this process (of this thread, where it is one itself): started when needed, ended when not. */
import { availableParallelism } from 'node:os';
import { FieldThread } from './field-thread.js';
import type { SliceReply, SliceWork } from './field-worker.js';

/** From here on the caller's thread, which packs and unpacks, is what a batch waits for. */
const MOST_BY_DEFAULT = 4;
/** Starting a thread costs 50 ms, keeping one 10 MB; and a thread that has ended has no plaintext left in its memory. */
const IDLE_MS = 5_000;

let threads: FieldThread[] = [];
let idleTimer: NodeJS.Timeout | undefined;
let canStart = true;

/** As many threads as there are processors, but at most 4; none where there is one, which they could only share. */
export function defaultThreads(): number {
  const processors = availableParallelism();
  return processors === 1 ? 0 : Math.min(processors, MOST_BY_DEFAULT);
}

/** Starts what is missing of so many threads. They are of use as soon as they are loaded, some 50 ms later. */
export function startThreads(count: number): void {
  // Without its file (an application in one bundle) a thread ends before it is ready; without the right to start one
  // there is none. Nor will there be the next time, and no other is tried.
  if (threads.some((thread) => thread.hasEnded && !thread.isReady)) canStart = false;
  threads = threads.filter((thread) => !thread.hasEnded);
  try {
    while (canStart && threads.length < count) threads.push(new FieldThread());
  } catch {
    canStart = false;
  }
  rest();
}

/** Waits until a thread is ready, if there will be one. */
export async function threadsStarted(): Promise<void> {
  if (threads.length > 0) await Promise.race(threads.map(({ started }) => started));
}

/** Has the threads end later, if they are still idle then. */
function rest(): void {
  clearTimeout(idleTimer);
  if (threads.every(({ load }) => load === 0)) idleTimer = setTimeout(endThreads, IDLE_MS).unref();
}

/** The one of the first `most` threads that has least to do; null when none is ready. */
export function leastBusyThread(most: number): FieldThread | null {
  const ready = threads.slice(0, most).filter(({ isReady, hasEnded }) => isReady && !hasEnded);
  const [least = null] = ready.sort((a, b) => a.load - b.load);
  return least;
}

/** Has a slice worked on. Null when the thread ended before it answered: the slice is the caller's to do again. */
export async function runInThread(thread: FieldThread, work: SliceWork): Promise<SliceReply | null> {
  clearTimeout(idleTimer);
  const reply = await thread.run(work);
  rest();
  return reply;
}

function endThreads(): void {
  const idle = threads;
  threads = [];
  for (const thread of idle) thread.end();
}
