/** Turns what the file system refuses into a FieldsealError that says what to mend. */
import { FieldsealError } from 'fieldseal';

function errno(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

/** For a folder in which nothing can be made. */
export function refusedFolder(folder: string, error: unknown): FieldsealError {
  const code = errno(error);
  return (
    fullDisk(folder, code) ??
    new FieldsealError(
      'ERR_CONFIG_INVALID',
      `Nothing can be written in the folder ${folder} (${code}); check that it exists, and the rights to it.`,
    )
  );
}

/** For a file of ours in `folder` that cannot be written, synced or put into its place. */
export function failedWrite(folder: string, error: unknown): FieldsealError {
  const code = errno(error);
  return (
    fullDisk(folder, code) ??
    new FieldsealError('ERR_DATABASE_FAILED', `Writing in the folder ${folder} failed (${code}).`)
  );
}

/** For a backup that cannot be opened or read. */
export function unreadableBackup(file: string, error: unknown): FieldsealError {
  return new FieldsealError(
    'ERR_BACKUP_INVALID',
    `The backup ${file} cannot be read (${errno(error)}); check its path, and the rights to it.`,
  );
}

function fullDisk(folder: string, code: string): FieldsealError | null {
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return null;
  return new FieldsealError('ERR_DATABASE_FAILED', `The disk of the folder ${folder} has no room left (${code}).`);
}
