/** Puts a restored database where it belongs, and keeps the one that stood there. */
import { chmodSync, chownSync, existsSync, linkSync, realpathSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { FieldsealError, isFieldsealError } from 'fieldseal';
import { databaseError } from '../store/database-error.js';
import { openSqlite } from '../store/open-sqlite.js';
import { failedWrite } from './file-error.js';
import { assertFree, isTaken, placeNew, syncFolderOf } from './place-file.js';

/** What SQLite puts beside a database; left there, it would be played into the restored one. */
const JOURNALS = ['-journal', '-wal', '-shm'] as const;

/** Where a restored database goes. */
export interface RestorePlan {
  /** An absolute path. Of a symbolic link it is what the link points at. */
  readonly file: string;
  /** What the old database is called from then on; null when there is none. */
  readonly kept: string | null;
}

/**
 * @param now names the kept database; milliseconds since 1970
 * @throws FieldsealError `ERR_BACKUP_EXISTS`: something stands there and `force` is false, or it is no file
 */
export function planRestore(to: string, force: boolean, now: number): RestorePlan {
  const file = existsSync(to) ? realpathSync(to) : resolve(to);
  const journal = JOURNALS.map((suffix) => file + suffix).find(isTaken);
  if (!isTaken(file) && journal === undefined) return { file, kept: null };
  if (!force) {
    throw new FieldsealError(
      'ERR_BACKUP_EXISTS',
      isTaken(file)
        ? `There is a database ${to} already; --force replaces it and keeps it beside the restored one.`
        : `There is a journal ${journal} of an older database; --force moves it out of the way.`,
    );
  }
  if (existsSync(file) && !statSync(file).isFile()) {
    throw new FieldsealError('ERR_BACKUP_EXISTS', `${to} is not a file; nothing is written over it.`);
  }
  const kept = `${file}.before-restore-${new Date(now).toISOString().replace(/[-:.]/g, '')}`;
  assertFree(kept);
  return { file, kept };
}

/**
 * Gives `temporary`, a database on the same file system that nobody has open, its final name. All or nothing.
 * @throws FieldsealError `ERR_DATABASE_BUSY` (the old one is in use), `ERR_BACKUP_EXISTS`, `ERR_DATABASE_FAILED`
 */
export function placeDatabase(temporary: string, { file, kept }: RestorePlan): void {
  if (kept === null) {
    placeNew(temporary, file);
  } else {
    if (existsSync(file)) {
      assertUnused(file);
      inheritAccess(temporary, file);
    }
    replace(temporary, file, kept);
  }
  syncFolderOf(file);
}

function replace(temporary: string, file: string, kept: string): void {
  const undo: (() => void)[] = [];
  const move = (from: string, to: string) => {
    if (!isTaken(from)) return;
    renameSync(from, to);
    undo.unshift(() => renameSync(to, from));
  };
  try {
    // Its journals go along, under the names that SQLite looks for.
    for (const suffix of JOURNALS) move(file + suffix, kept + suffix);
    try {
      // A second name first, and then a rename over the first one: at no moment is there no database.
      linkSync(file, kept);
      undo.unshift(() => unlinkSync(kept));
    } catch {
      // A file system without hard links, or no old database but only its journals.
      move(file, kept);
    }
    renameSync(temporary, file);
  } catch (error) {
    for (const step of undo) step();
    throw failedWrite(dirname(file), error);
  }
}

/**
 * Refuses a database that another process writes to or reads from, and one with a write-ahead log that another has open
 * at all. Who has one with a rollback journal open and is idle cannot be told.
 */
function assertUnused(file: string): void {
  const inUse = () =>
    new FieldsealError(
      'ERR_DATABASE_BUSY',
      `The database ${file} is in use by another process; stop the service and the application first.`,
    );
  let hasLog = false;
  try {
    const database = openSqlite(file, { mustExist: true, busyTimeoutMs: 0 });
    try {
      hasLog = database.pragma('journal_mode', { simple: true }) === 'wal';
      database.exec('begin exclusive; rollback');
    } finally {
      database.close();
    }
  } catch (error) {
    const refusal = databaseError(error, `The database ${file}`);
    if (!isFieldsealError(refusal)) throw refusal;
    if (refusal.code === 'ERR_DATABASE_BUSY') throw inUse();
    // A damaged database is what a restore is for.
    if (refusal.code !== 'ERR_DATABASE_FOREIGN' && refusal.code !== 'ERR_DATABASE_FAILED') throw refusal;
  }
  // The last connection that closes removes the log.
  if (hasLog && isTaken(`${file}-wal`)) throw inUse();
}

/** The service must be able to open what was restored by, say, root. */
function inheritAccess(temporary: string, old: string): void {
  const { mode, uid, gid } = statSync(old);
  try {
    chownSync(temporary, uid, gid);
  } catch {
    // Only root can; everybody else owns the restored database.
  }
  chmodSync(temporary, mode & 0o777);
}

/** Whether SQLite left nothing beside `database`, so that the one file is all of it. */
export function isSelfContained(database: string): boolean {
  return !JOURNALS.some((suffix) => isTaken(database + suffix));
}
