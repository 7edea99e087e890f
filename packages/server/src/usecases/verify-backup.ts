/** `backup verify`: reads a whole backup, as a restore would, and changes no database but for an audit row. */
import { isFieldsealError, RootKey } from 'fieldseal';
import { parseIdentities } from '../backup/age-keys.js';
import { type OpenBackupOptions, readBackupFile } from '../backup/backup-file.js';
import { assertIntact, contentsOf } from '../backup/database-contents.js';
import { nameOf } from '../backup/place-file.js';
import { readIdentityFile } from '../backup/secret-file.js';
import { withTemporaryFile } from '../backup/temporary-folder.js';
import { openStore } from '../store/open-store.js';
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
 * Proves that a backup can be restored, and says so in the audit log. It is decrypted beside the database, and beside the backup where there is no
 * SQLite database.
 * @throws FieldsealError `ERR_BACKUP_INVALID`, `ERR_CONFIG_INVALID` (nothing was given to open it with, or there is no
 * folder to decrypt into), `ERR_STORE_NEWER`, `ERR_STORE_FOREIGN_TABLE`, `ERR_DATABASE_FAILED`, `ERR_RUN_STOPPED`
 */
export async function verifyBackup(deps: Dependencies, options: VerifyBackupOptions): Promise<VerifiedBackup> {
  const neighbour = deps.target.dialect === 'sqlite' ? deps.target.file : options.from;
  const verified = await withTemporaryFile(neighbour, (copy) => unpackBackup(deps, options, copy));
  await auditVerified(deps, verified);
  return verified;
}

/**
 * Into the audit log of the database, where there is one: a backup is also verified because that is gone or damaged. No migration
 * runs for it.
 */
async function auditVerified(
  { target, schema, notify }: Dependencies,
  { file, bytes, sha256, encrypted }: VerifiedBackup,
): Promise<void> {
  try {
    const store = await openStore(target, { schema, mustExist: true, migrate: false });
    try {
      if (!(await store.keyring.load())) return;
      await store.audit.insert({
        action: 'backup_verified',
        resourceType: 'backup',
        resourceId: nameOf(file),
        status: 'success',
        details: JSON.stringify({ file: nameOf(file), bytes, sha256, encrypted }),
      });
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!isFieldsealError(error)) throw error;
    if (error.code === 'ERR_DATABASE_NOT_FOUND') return;
    notify({ type: 'warning', text: `the verification left no audit row: ${error.message} [${error.code}]` });
  }
}
