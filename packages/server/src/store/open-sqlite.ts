/** Opens a SQLite file the way Fieldseal needs it. */
import Database from 'better-sqlite3';
import { FieldsealError } from 'fieldseal';
import { databaseError } from './database-error.js';

const BUSY_TIMEOUT_MS = 5_000;

export interface OpenSqliteOptions {
  /** Refuse a file that doesn't exist; else it is created. */
  readonly mustExist?: boolean;
  /** Implies `mustExist`. */
  readonly readOnly?: boolean;
  /** How long a statement blocks while another connection holds the lock; 5 seconds unless told. */
  readonly busyTimeoutMs?: number;
}

/**
 * A connection that waits for locks and has every commit on the disk before it returns. The `journal_mode` is left as it
 * is: changing it changes the file for every other program.
 * @throws FieldsealError `ERR_DATABASE_NOT_FOUND`, `ERR_DATABASE_FOREIGN`, `ERR_DATABASE_READ_ONLY` (it can't be
 * created) and the others of `databaseError`.
 */
export function openSqlite(file: string, options: OpenSqliteOptions = {}): Database.Database {
  const { mustExist = false, readOnly = false, busyTimeoutMs = BUSY_TIMEOUT_MS } = options;
  const name = `The database ${file}`;
  let database: Database.Database | undefined;
  try {
    database = new Database(file, { readonly: readOnly, fileMustExist: mustExist, timeout: BUSY_TIMEOUT_MS });
    // This reads the file, and so may have to wait for a commit: the caller's shorter time-out begins after it.
    database.pragma('synchronous = FULL');
    // What is overwritten is plaintext, and tokens under keys that are to be forgotten: it must not stay in free pages.
    if (!readOnly) database.pragma('secure_delete = ON');
    database.pragma(`busy_timeout = ${busyTimeoutMs}`);
    return database;
  } catch (error) {
    database?.close();
    if (readOnly && isHalfWritten(error)) {
      finishRollback(file, name);
      return openSqlite(file, options);
    }
    if (isAbsentFile(error, mustExist || readOnly)) {
      throw new FieldsealError(
        'ERR_DATABASE_NOT_FOUND',
        `${name} does not exist or cannot be opened; check the path in DATABASE_URL.`,
      );
    }
    throw databaseError(error, name);
  }
}

/** A process was killed in the middle of a transaction: whoever may write has to roll it back before anybody can read. */
function isHalfWritten(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code === 'SQLITE_READONLY_ROLLBACK';
}

function finishRollback(file: string, name: string): void {
  let database: Database.Database | undefined;
  try {
    database = new Database(file, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    database.pragma('schema_version');
  } catch (error) {
    throw databaseError(error, name);
  } finally {
    database?.close();
  }
}

function isAbsentFile(error: unknown, mustExist: boolean): boolean {
  // A missing folder is a plain TypeError of the driver, with no code.
  if (error instanceof TypeError) return error.message.includes('directory does not exist');
  return mustExist && error instanceof Database.SqliteError && error.code.startsWith('SQLITE_CANTOPEN');
}
