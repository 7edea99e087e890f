/** What the command line prints: lines for people, or one JSON object a line with `--json`. */
import type { FieldsealError } from 'fieldseal';
import type { Notice } from '../usecases/dependencies.js';

/** The two streams and what is known about them. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether standard error is a terminal, on which a progress line can be written over. */
  readonly isInteractive: boolean;
}

const WIDTH = 24;
/** A terminal is not written to more often than this. */
const PROGRESS_MS = 100;

/** `1234567` → `1,234,567`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 3600 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Prints results on standard output, and everything on the way to them on standard error. */
export class Output {
  readonly #terminal: Terminal;
  readonly #json: boolean;
  #isLineOpen = false;
  #lastProgressMs = 0;
  #pass = { number: 0, startedMs: 0, startedAt: 0 };

  constructor(terminal: Terminal, json: boolean) {
    this.#terminal = terminal;
    this.#json = json;
  }

  /** The command's result: `json` as one line, or `text`. */
  result(json: Record<string, unknown>, text: string): void {
    this.#closeLine();
    this.#terminal.out(
      this.#json ? `${JSON.stringify({ type: 'result', ...json })}\n` : text.endsWith('\n') ? text : `${text}\n`,
    );
  }

  /** Part of a result that is a stream of lines, the same with and without `--json`. */
  raw(text: string): void {
    this.#terminal.out(text);
  }

  error(error: FieldsealError): void {
    this.#closeLine();
    const { code, message } = error;
    if (this.#json) this.#terminal.out(`${JSON.stringify({ type: 'error', code, message })}\n`);
    else this.#terminal.err(`fieldseal: ${message} [${code}]\n`);
  }

  /** A line on standard error; nothing with `--json`. */
  note(text: string): void {
    if (this.#json) return;
    this.#closeLine();
    this.#terminal.err(`${text}\n`);
  }

  notice(notice: Notice): void {
    if (notice.type === 'progress') this.#progress(notice);
    else if (this.#json) this.#terminal.out(`${JSON.stringify(notice)}\n`);
    else if (notice.type === 'warning') this.note(`warning: ${notice.text}`);
    else if (notice.type === 'work')
      this.note(`run ${notice.run}: ${notice.as === 'driver' ? 'driving it' : 'helping'}`);
    else if (notice.type === 'waiting') {
      this.note(
        'because' in notice ? notice.because : `waiting for ${notice.readers} process(es) to load the new keyring …`,
      );
    } else this.note(`run ${notice.run} (${notice.kind})${notice.resumed ? ' goes on from its checkpoint' : ''}`);
  }

  #progress({ pass, verifying, table, done, total }: Extract<Notice, { type: 'progress' }>): void {
    const nowMs = performance.now();
    if (this.#pass.number !== pass) this.#pass = { number: pass, startedMs: nowMs, startedAt: done };
    if (done === this.#pass.startedAt) return;
    const isLast = done >= total;
    if (!isLast && nowMs - this.#lastProgressMs < (this.#terminal.isInteractive ? PROGRESS_MS : 1000)) return;
    this.#lastProgressMs = nowMs;
    // The rate is this process's own: a resumed run does not count what others did.
    const perSecond = Math.round((done - this.#pass.startedAt) / ((nowMs - this.#pass.startedMs) / 1000));
    const secondsLeft = perSecond > 0 ? (total - done) / perSecond : 0;
    if (this.#json) {
      this.#terminal.out(
        `${JSON.stringify({ type: 'progress', pass, verifying, table, done, total, perSecond, secondsLeft: Math.ceil(secondsLeft) })}\n`,
      );
      return;
    }
    const share = total === 0 ? 1 : done / total;
    const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░');
    const line = `${verifying ? 'verify' : 'sweep '} ${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${formatCount(done)} / ${formatCount(total)} records  ${formatCount(perSecond)}/s${isLast ? '' : `  ${formatSeconds(secondsLeft)} left`}  ${table}`;
    if (this.#terminal.isInteractive) {
      this.#terminal.err(`\r\u001b[K${line}`);
      this.#isLineOpen = true;
    } else this.#terminal.err(`${line}\n`);
  }

  #closeLine(): void {
    if (this.#isLineOpen) this.#terminal.err('\n');
    this.#isLineOpen = false;
  }
}
