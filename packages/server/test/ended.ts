/** What a process that a test started came to. */
import type { ChildProcess } from 'node:child_process';

export interface Ended {
  readonly exitCode: number | null;
  /** What it printed since this was asked for. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Waits for the end of a process. To be called before it can end, or its output is lost. */
export async function ended(child: ChildProcess): Promise<Ended> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  return { exitCode, stdout, stderr };
}
