/**
 * The thread that owns a SQLite connection: it runs one statement after another and answers each. Waiting for a lock or
 * for the disk stops this thread, and nothing else.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type Database from 'better-sqlite3';
import { type OpenSqliteOptions, openSqlite } from './open-sqlite.js';

/** What the thread is started with. */
export interface SqliteWorkerData {
  readonly file: string;
  readonly options: OpenSqliteOptions;
}

/** `close` ends the thread after the database is closed. */
export type SqliteRequest =
  | { readonly id: number; readonly sql: string; readonly parameters: readonly unknown[] }
  | { readonly id: number; readonly close: true };

/** The answer to the request of that id; the one of id 0 tells that the database is open. */
export type SqliteReply =
  | { readonly id: number; readonly result: SqliteResult }
  | { readonly id: number; readonly error: SqliteFailure };

export interface SqliteResult {
  readonly rows: Record<string, unknown>[];
  /** Of a statement that returns no rows. */
  readonly changes?: number;
  readonly lastInsertRowid?: number | bigint;
}

/** An error as it crosses the thread: structured cloning would lose its code. */
export interface SqliteFailure {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
}

function run(database: Database.Database, sql: string, parameters: readonly unknown[]): SqliteResult {
  const statement = database.prepare<unknown[], Record<string, unknown>>(sql);
  if (statement.reader) return { rows: statement.all(parameters) };
  const { changes, lastInsertRowid } = statement.run(parameters);
  return { rows: [], changes, lastInsertRowid };
}

function failure(error: unknown): SqliteFailure {
  if (!(error instanceof Error)) return { name: 'Error', message: 'an unknown failure' };
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { name: error.name, message: error.message, ...code };
}

function answer(id: number, work: () => SqliteResult): void {
  let reply: SqliteReply;
  try {
    reply = { id, result: work() };
  } catch (error) {
    reply = { id, error: failure(error) };
  }
  parentPort?.postMessage(reply);
}

const { file, options } = workerData as SqliteWorkerData;
let database: Database.Database | undefined;

answer(0, () => {
  database = openSqlite(file, options);
  return { rows: [] };
});

parentPort?.on('message', (request: SqliteRequest) => {
  answer(request.id, () => {
    if (!('close' in request) && database) return run(database, request.sql, request.parameters);
    database?.close();
    parentPort?.close();
    return { rows: [] };
  });
});
