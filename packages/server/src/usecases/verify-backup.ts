/** `backup verify`: reads a whole backup, as a restore would, and touches no database. */
import { RootKey } from 'fieldseal';
import { parseIdentities } from '../backup/age-keys.js';
import { type OpenBackupOptions, readBackupFile } from '../backup/backup-file.js';
import { assertIntact, contentsOf } from '../backup/database-contents.js';
import { readIdentityFile } from '../backup/secret-file.js';
import { withTemporaryFile } from '../backup/temporary-folder.js';
import type { BackupReport } from './create-backup.js';
import type { Dependencies } from './dependencies.js';

export { parseIdentities, readIdentityFile };

export interface VerifyBackupOptions extends OpenBackupOptions {
  /** The backup. */
  readonly from: string;
}

/** What a backup that was read to its end is and holds. */
export interface VerifiedBackup extends BackupReport {
  /** Whether this process's root key (`ROOT_KEY`, else `ENCRYPTION_KEY`) opens its keyring; null without either of them. */
  readonly opensWithRootKey: boolean | null;
}

/**
 * Decrypts the backup into the new file `to`, and reads all of that.
 * @throws FieldsealError as `verifyBackup`
 */
export async function unpackBackup(
  { keys, stop }: Dependencies,
  { from, ...options }: VerifyBackupOptions,
  to: string,
): Promise<VerifiedBackup> {
  const digest = await readBackupFile(from, to, options, stop);
  assertIntact(to, from);
  const contents = await contentsOf(to);
  const root = keys.root ?? keys.current;
  const opensWithRootKey =
    contents.keyring && root ? contents.keyring.roots.includes(new RootKey(root).fingerprint) : null;
  return { file: from, ...digest, ...contents, opensWithRootKey };
}

/**
 * Proves that a backup can be restored. It is decrypted beside the database, and beside the backup where there is no
 * SQLite database.
 * @throws FieldsealError `ERR_BACKUP_INVALID`, `ERR_CONFIG_INVALID` (nothing was given to open it with, or there is no
 * folder to decrypt into), `ERR_STORE_NEWER`, `ERR_STORE_FOREIGN_TABLE`, `ERR_DATABASE_FAILED`, `ERR_RUN_STOPPED`
 */
export async function verifyBackup(deps: Dependencies, options: VerifyBackupOptions): Promise<VerifiedBackup> {
  const neighbour = deps.target.dialect === 'sqlite' ? deps.target.file : options.from;
  return withTemporaryFile(neighbour, (copy) => unpackBackup(deps, options, copy));
}
