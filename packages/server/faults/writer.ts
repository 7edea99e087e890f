/** The application that writes beside the sweeps, in a process of its own. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('writing-child.ts', import.meta.url));

/** What it wrote. */
export interface Written {
  /** By id: the texts that the row may hold; null: no row. More than one where an answer never came. */
  readonly last: ReadonlyMap<number, readonly (string | null)[]>;
  readonly unanswered: number;
}

export interface Writer {
  /** Returns when nothing of it is under way. */
  pause(): Promise<void>;
  resume(): void;
  stop(): Promise<Written>;
}

async function nextMessage(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the writer ended with exit code ${code}`);
  });
  ended.catch(() => {});
  return (await Promise.race([once(child, 'message'), ended]))[0];
}

/** Runs `work` beside a writer on the table `people`, whose first ids are 1 to `rows`. */
export async function withWriter<T>(
  env: { readonly DATABASE_URL: string; readonly ENCRYPTION_KEY: string },
  rows: number,
  work: (writer: Writer) => Promise<T>,
): Promise<T> {
  const child = fork(CHILD, {
    env: { PATH: process.env['PATH'], ...env, ROWS: String(rows) },
    execArgv: ['--import', 'tsx'],
  });
  try {
    await nextMessage(child);
    return await work({
      async pause() {
        const paused = nextMessage(child);
        child.send('pause');
        await paused;
      },
      resume: () => void child.send('resume'),
      async stop() {
        const message = nextMessage(child);
        child.send('stop');
        const { last, unanswered } = (await message) as { last: [number, (string | null)[]][]; unanswered: number };
        return { last: new Map(last), unanswered };
      },
    });
  } finally {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  }
}
