/** A place for files that nobody else may read and that never outlive the work on them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { refusedFolder } from './file-error.js';

/**
 * Runs `work` with a name for a new file on the same file system as `neighbour`: in a folder of mode 0700 beside it,
 * which is removed with all that is in it, whatever happened. Only a process that is killed leaves the folder behind; it
 * is called `.fieldseal-` and six letters.
 * @throws FieldsealError `ERR_CONFIG_INVALID` when the neighbour's folder is missing or cannot be written,
 * `ERR_DATABASE_FAILED` when its disk is full
 */
export async function withTemporaryFile<T>(neighbour: string, work: (file: string) => Promise<T>): Promise<T> {
  const parent = dirname(neighbour);
  let folder: string;
  try {
    folder = mkdtempSync(join(parent, '.fieldseal-'));
  } catch (error) {
    throw refusedFolder(parent, error);
  }
  try {
    return await work(join(folder, basename(neighbour)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
