/** `backup create`: a consistent copy of the SQLite database as one encrypted file. */
import { FieldsealError } from 'fieldseal';
import { type EncryptionChoice, encrypterFor, parseRecipients } from '../backup/age-keys.js';
import { type BackupDigest, writeBackupFile } from '../backup/backup-file.js';
import { contentsOf, type DatabaseContents } from '../backup/database-contents.js';
import { withDatabaseCopy } from '../backup/database-copy.js';
import { assertFree, nameOf, placeNew, syncFolderOf, withdraw } from '../backup/place-file.js';
import { readPassphraseFile } from '../backup/secret-file.js';
import { withTemporaryFile } from '../backup/temporary-folder.js';
import type { DatabaseTarget } from '../store/database-url.js';
import { openStore } from '../store/open-store.js';
import type { Dependencies } from './dependencies.js';

export { parseRecipients, readPassphraseFile };

export interface CreateBackupOptions extends EncryptionChoice {
  /** The new backup; nothing may have that name yet. */
  readonly to: string;
}

/** What a backup is and holds. */
export interface BackupReport extends BackupDigest, DatabaseContents {
  /** The backup, as the caller named it. */
  readonly file: string;
}

/** The file of a SQLite database. @throws FieldsealError `ERR_DATABASE_URL` for PostgreSQL */
export function sqliteFileOf(target: DatabaseTarget): string {
  if (target.dialect === 'sqlite') return target.file;
  throw new FieldsealError(
    'ERR_DATABASE_URL',
    'Backups are of SQLite databases so far, and DATABASE_URL names a PostgreSQL database; use pg_dump.',
  );
}

/**
 * Backs the database up as it is at one moment, while other processes go on writing to it. The backup has its final name
 * only once it is whole, on the disk and audited.
 * @throws FieldsealError `ERR_BACKUP_EXISTS`, `ERR_CONFIG_INVALID` (nothing says how to encrypt it, or its folder cannot
 * be written), `ERR_DATABASE_URL`, `ERR_RUN_STOPPED`, and those of the store
 */
export async function createBackup(deps: Dependencies, options: CreateBackupOptions): Promise<BackupReport> {
  const { target, stop, notify } = deps;
  const { to } = options;
  const database = sqliteFileOf(target);
  const encrypter = encrypterFor(options);
  assertFree(to);
  // Refused before the long work; but no migration runs before it, so that a backup can be made ahead of an upgrade.
  await contentsOf(database);
  if (!encrypter) {
    const text = `the backup ${to} is not encrypted: BACKUP_ENCRYPTION_ENABLED is false`;
    notify({ type: 'warning', text });
  }
  return withTemporaryFile(to, async (draft) => {
    const report = await withDatabaseCopy(database, async (copy) => {
      const contents = await contentsOf(copy);
      return { file: to, ...(await writeBackupFile(copy, draft, encrypter, stop)), ...contents };
    });
    await placeAudited(deps, draft, report, options);
    return report;
  });
}

/** With its audit row or not at all. */
async function placeAudited(
  { target, schema }: Dependencies,
  draft: string,
  { file, bytes, sha256, encrypted }: BackupReport,
  { recipients, passphrase }: EncryptionChoice,
): Promise<void> {
  const to = passphrase === null ? recipients : 'passphrase';
  const details = { file: nameOf(file), bytes, sha256, encrypted, recipients: to };
  const store = await openStore(target, { schema, mustExist: true });
  let isPlaced = false;
  try {
    await store.transaction(async (tx) => {
      await tx.audit.insert({
        action: 'backup_created',
        resourceType: 'backup',
        resourceId: nameOf(file),
        status: 'success',
        details: JSON.stringify(details),
      });
      placeNew(draft, file);
      isPlaced = true;
    });
  } catch (error) {
    if (isPlaced) withdraw(file);
    throw error;
  } finally {
    await store.close();
  }
  syncFolderOf(file);
}
