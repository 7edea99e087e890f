/** Puts a finished file under its final name, in one step and never over another file. */
import { closeSync, fsyncSync, linkSync, lstatSync, openSync, renameSync, unlinkSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { FieldsealError } from 'fieldseal';
import { failedWrite } from './file-error.js';

/** A file's name without its folders, for the audit log. */
export function nameOf(file: string): string {
  return basename(file);
}

/** Whether anything has that name, also a symbolic link to nowhere. */
export function isTaken(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

/** @throws FieldsealError `ERR_BACKUP_EXISTS` */
export function assertFree(file: string): void {
  if (!isTaken(file)) return;
  throw new FieldsealError('ERR_BACKUP_EXISTS', `There is a file ${file} already; nothing is written over it.`);
}

/**
 * Gives `temporary`, of the same file system, the name `file`, which it is to have to itself.
 * @throws FieldsealError `ERR_BACKUP_EXISTS`, `ERR_DATABASE_FAILED`
 */
export function placeNew(temporary: string, file: string): void {
  try {
    // A rename would replace a file that has come up meanwhile; a link does not.
    linkSync(temporary, file);
    unlinkSync(temporary);
    return;
  } catch {
    assertFree(file);
  }
  // A file system without hard links.
  try {
    renameSync(temporary, file);
  } catch (error) {
    throw failedWrite(dirname(file), error);
  }
}

/** Takes a file back that was placed a moment ago. */
export function withdraw(file: string): void {
  unlinkSync(file);
}

/** Has the names in the file's folder on the disk. */
export function syncFolderOf(file: string): void {
  const descriptor = openSync(dirname(file), 'r');
  try {
    fsyncSync(descriptor);
  } catch {
    // Some network file systems cannot; the file itself is on the disk.
  } finally {
    closeSync(descriptor);
  }
}
