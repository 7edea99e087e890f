/** A consistent copy of a SQLite database that other processes go on using. */
import { writeFileSync } from 'node:fs';
import { databaseError } from '../store/database-error.js';
import { openSqlite } from '../store/open-sqlite.js';
import { withTemporaryFile } from './temporary-folder.js';

/** A busy application is waited for longer than elsewhere: few backups are made, and each one matters. */
const BUSY_TIMEOUT_MS = 30_000;

/**
 * Runs `work` with a copy of `database` as it was at one moment, then removes the copy. It stands beside the database:
 * so no disk sees its plaintext that does not hold it anyhow.
 *
 * The copying itself blocks the event loop, and on a database without a write-ahead log it keeps writers from
 * committing while it lasts.
 * @throws FieldsealError of `openSqlite` and `databaseError`, and `ERR_CONFIG_INVALID` when the folder cannot be written
 */
export async function withDatabaseCopy<T>(database: string, work: (copy: string) => Promise<T>): Promise<T> {
  return withTemporaryFile(database, async (copy) => {
    copyDatabase(database, copy);
    return work(copy);
  });
}

function copyDatabase(database: string, copy: string): void {
  const source = openSqlite(database, { mustExist: true, busyTimeoutMs: BUSY_TIMEOUT_MS });
  try {
    // VACUUM INTO takes an empty file, and leaves its mode as it is. Unlike the online backup it is one reading
    // transaction, which no writer makes start over.
    writeFileSync(copy, '', { mode: 0o600, flag: 'wx' });
    source.prepare('vacuum into ?').run(copy);
    if (source.pragma('journal_mode', { simple: true }) === 'wal') setWriteAheadLog(copy);
  } catch (error) {
    throw databaseError(error, `The database ${database}`);
  } finally {
    source.close();
  }
}

/** VACUUM INTO makes a file with a rollback journal, whatever its source has. */
function setWriteAheadLog(copy: string): void {
  const database = openSqlite(copy, { mustExist: true });
  try {
    database.pragma('journal_mode = wal');
  } finally {
    database.close();
  }
}
