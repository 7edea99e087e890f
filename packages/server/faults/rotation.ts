/** `fieldseal rotate` under way, in a process that something is to happen to. */
import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import type { JsonLine } from '../test/with-project.ts';

/** How it ended by itself. */
export interface RotationEnd {
  readonly exitCode: number | null;
  /** Its report or its error; null after a signal. */
  readonly last: JsonLine;
}

export class Rotation {
  readonly child: ChildProcess;
  readonly ended: Promise<RotationEnd>;
  hasEnded = false;
  hasProgressed = false;
  readonly #progress = new EventEmitter();

  constructor(child: ChildProcess) {
    this.child = child;
    let lastLine = '';
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => {
      lastLine = line;
      if (!line.includes('"progress"')) return;
      this.hasProgressed = true;
      this.#progress.emit('reached');
    });
    this.ended = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(([[exitCode]]) => {
      this.hasEnded = true;
      this.#progress.emit('reached');
      return { exitCode, last: exitCode === null ? null : JSON.parse(lastLine) };
    });
  }

  /** Returns at its next progress, or at its end. */
  async progressed(): Promise<void> {
    if (!this.hasEnded) await once(this.#progress, 'reached');
  }

  /** Sends a signal that ends it, and waits for that. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
