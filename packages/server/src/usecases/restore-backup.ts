/** `backup restore`: a database out of a backup that was read to its end before anything is touched. */
import { FieldsealError } from 'fieldseal';
import { nameOf } from '../backup/place-file.js';
import { isSelfContained, placeDatabase, planRestore } from '../backup/replace-database.js';
import { withTemporaryFile } from '../backup/temporary-folder.js';
import type { DatabaseTarget } from '../store/database-url.js';
import { openStore } from '../store/open-store.js';
import { sqliteFileOf } from './create-backup.js';
import type { Dependencies } from './dependencies.js';
import { unpackBackup, type VerifiedBackup, type VerifyBackupOptions } from './verify-backup.js';

export interface RestoreBackupOptions extends VerifyBackupOptions {
  /** A file's path; null: the database of DATABASE_URL. */
  readonly to: string | null;
  /** Replace a database that stands there, and keep it beside the restored one. */
  readonly force: boolean;
}

/** What was restored, and where. */
export interface RestoredBackup extends VerifiedBackup {
  /** The restored database. */
  readonly database: string;
  /** Where the old database is now; null when there was none. */
  readonly kept: string | null;
}

/**
 * Restores a backup. Processes that had the old database open go on with the kept one, so they are to be stopped first;
 * those that can be told refuse the restore.
 * @throws FieldsealError `ERR_BACKUP_EXISTS`, `ERR_DATABASE_BUSY`, `ERR_DATABASE_URL`, and those of `verifyBackup`
 */
export async function restoreBackup(deps: Dependencies, options: RestoreBackupOptions): Promise<RestoredBackup> {
  const plan = planRestore(options.to ?? sqliteFileOf(deps.target), options.force, Date.now());
  return withTemporaryFile(plan.file, async (draft) => {
    const verified = await unpackBackup(deps, options, draft);
    const { writtenAs } = deps.target;
    await auditRestored({ dialect: 'sqlite', file: draft, ...(writtenAs && { writtenAs }) }, verified, plan.kept);
    placeDatabase(draft, plan);
    return { ...verified, database: plan.file, kept: plan.kept };
  });
}

type SqliteTarget = Extract<DatabaseTarget, { dialect: 'sqlite' }>;

/** Its tables are brought up to date with that, as they would be by the next command. */
async function auditRestored(
  draft: SqliteTarget,
  { file, bytes, sha256, encrypted }: VerifiedBackup,
  kept: string | null,
): Promise<void> {
  const store = await openStore(draft, { mustExist: true });
  try {
    const details = { file: nameOf(file), bytes, sha256, encrypted, kept: kept && nameOf(kept) };
    await store.audit.insert({
      action: 'backup_restored',
      resourceType: 'backup',
      resourceId: nameOf(file),
      status: 'success',
      details: JSON.stringify(details),
    });
  } finally {
    await store.close();
  }
  if (isSelfContained(draft.file)) return;
  throw new FieldsealError('ERR_DATABASE_FAILED', 'The restored database could not be closed; is its disk full?');
}
