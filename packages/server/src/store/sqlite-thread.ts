/** The near side of the thread that owns a SQLite connection: requests go out, each comes back as a promise. */
import { Worker } from 'node:worker_threads';
import { ERROR_CODES, type ErrorCode, FieldsealError } from 'fieldseal';
import type { OpenSqliteOptions } from './open-sqlite.js';
import type { SqliteFailure, SqliteReply, SqliteRequest, SqliteResult, SqliteWorkerData } from './sqlite-worker.js';

/**
 * The compiled worker. A thread starts without the loaders of vitest or tsx, and plain Node 20 reads no TypeScript: when
 * this file is run from `src`, the worker still comes out of `dist`, which `npm run build` makes.
 */
const WORKER = import.meta.url.endsWith('.ts')
  ? new URL('../../dist/store/sqlite-worker.js', import.meta.url)
  : new URL('./sqlite-worker.js', import.meta.url);

interface Pending {
  resolve(result: SqliteResult): void;
  reject(error: unknown): void;
}

/** One thread with one connection. Once it has ended it answers nothing any more; whoever needs another starts it. */
export class SqliteThread {
  readonly #worker: Worker;
  readonly #name: string;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended = false;

  private constructor(file: string, options: OpenSqliteOptions) {
    this.#name = `The database ${file}`;
    const workerData: SqliteWorkerData = { file, options };
    // Neither the flags nor the environment of this process are the thread's business.
    this.#worker = new Worker(WORKER, { workerData, execArgv: [], env: {} });
    this.#worker.on('message', (reply: SqliteReply) => this.#settle(reply));
    this.#worker.on('error', () => this.#end());
    this.#worker.on('messageerror', () => this.#end());
    this.#worker.on('exit', () => this.#end());
  }

  /** @throws what `openSqlite` throws */
  static async start(file: string, options: OpenSqliteOptions): Promise<SqliteThread> {
    const thread = new SqliteThread(file, options);
    try {
      await thread.#reply(0);
      return thread;
    } catch (error) {
      await thread.#worker.terminate();
      throw error;
    }
  }

  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Runs one statement. Values come back as the driver gives them.
   * @throws the driver's error, and FieldsealError `ERR_DATABASE_FAILED` when the thread has ended
   */
  async run(sql: string, parameters: readonly unknown[]): Promise<SqliteResult> {
    return this.#request((id) => ({ id, sql, parameters }));
  }

  /** Closes the database and ends the thread. */
  async close(): Promise<void> {
    if (!this.#ended) await this.#request((id) => ({ id, close: true })).catch(() => undefined);
    await this.#worker.terminate();
  }

  #request(make: (id: number) => SqliteRequest): Promise<SqliteResult> {
    if (this.#ended) return Promise.reject(this.#lost());
    const request = make(++this.#lastId);
    this.#worker.postMessage(request);
    return this.#reply(request.id);
  }

  /** Like a connection within this thread, an idle one does not keep the process from ending. */
  #reply(id: number): Promise<SqliteResult> {
    this.#worker.ref();
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
  }

  #settle(reply: SqliteReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#worker.unref();
    if ('error' in reply) pending?.reject(revived(reply.error));
    else pending?.resolve({ ...reply.result, rows: reply.result.rows.map(withBuffers) });
  }

  #end(): void {
    this.#ended = true;
    for (const { reject } of this.#pending.values()) reject(this.#lost());
    this.#pending.clear();
    void this.#worker.terminate();
  }

  #lost(): FieldsealError {
    return new FieldsealError('ERR_DATABASE_FAILED', `${this.#name} failed (the thread that held it has ended).`);
  }
}

/** A thread hands bytes over as Uint8Array, the driver gives Buffers. */
function withBuffers(row: Record<string, unknown>): Record<string, unknown> {
  for (const [column, value] of Object.entries(row)) {
    if (value instanceof Uint8Array) row[column] = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
  return row;
}

/** The error that was thrown over there, as far as anyone here looks at it. */
function revived({ name, message, code }: SqliteFailure): Error {
  if (name === 'FieldsealError' && code !== undefined && Object.hasOwn(ERROR_CODES, code)) {
    return new FieldsealError(code as ErrorCode, message);
  }
  const error = name === 'TypeError' ? new TypeError(message) : name === 'RangeError' ? new RangeError(message) : null;
  return Object.assign(error ?? new Error(message), { name }, code === undefined ? {} : { code });
}
