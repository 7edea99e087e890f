/**
 * A backup: a SQLite database as an age file, or as it is.
 *
 *     age file = "age-encryption.org/v1" LF ‖ a stanza for each recipient ‖ "---" SP MAC LF
 *                ‖ nonce 16 ‖ chunks of 64 KiB, each with a tag 16, the last one marked as the last
 *
 * Every chunk is authenticated in its place, so a file that decrypts to its end is whole and unchanged. The format is
 * that of https://c2sp.org/age, which the `age` tool reads and writes.
 */
import { promises } from 'node:fs';
import type { Decrypter, Encrypter } from 'age-encryption';
import { FieldsealError, isFieldsealError } from 'fieldseal';
import { type BackupKeys, decrypterFor } from './age-keys.js';
import { DigestCounter, type FileDigest, readChunks, writeChunks } from './file-chunks.js';
import { unreadableBackup } from './file-error.js';

const AGE_START = 'age-encryption.org/v1\n';
const SQLITE_START = 'SQLite format 3\0';
/** Room for hundreds of recipients. A header without an end would be read into memory as a whole. */
const MAX_HEADER_BYTES = 1024 * 1024;
const NONCE_BYTES = 16;

/** How a backup is opened. */
export interface OpenBackupOptions extends BackupKeys {
  /** False (`BACKUP_ENCRYPTION_ENABLED=false`): a plain SQLite file is taken, too. */
  readonly encrypted: boolean;
}

/** What a backup file is. */
export interface BackupDigest extends FileDigest {
  readonly encrypted: boolean;
}

/**
 * Writes the database file `source` to the new file `target`, as it is when `encrypter` is null.
 * @throws FieldsealError `ERR_DATABASE_FAILED`, `ERR_RUN_STOPPED`
 */
export async function writeBackupFile(
  source: string,
  target: string,
  encrypter: Encrypter | null,
  stop: AbortSignal,
): Promise<BackupDigest> {
  const input = await promises.open(source, 'r');
  try {
    const database = readChunks(input, new DigestCounter(), stop);
    const counter = new DigestCounter();
    await writeChunks(target, encrypter ? await encrypter.encrypt(database) : database, counter);
    return { ...counter.finish(), encrypted: encrypter !== null };
  } finally {
    await input.close();
  }
}

/**
 * Writes the database that the backup `source` holds to the new file `target`, authenticated to its last byte.
 * @throws FieldsealError `ERR_BACKUP_INVALID`, `ERR_CONFIG_INVALID` (nothing was given to open it with),
 * `ERR_DATABASE_FAILED`, `ERR_RUN_STOPPED`
 */
export async function readBackupFile(
  source: string,
  target: string,
  options: OpenBackupOptions,
  stop: AbortSignal,
): Promise<BackupDigest> {
  const decrypter = decrypterFor(options);
  const input = await opened(source);
  try {
    const start = await readStart(input, source);
    const encrypted = start.startsWith(AGE_START);
    if (!encrypted) assertPlainAllowed(source, start, options);
    const counter = new DigestCounter();
    const chunks = readChunks(input, counter, stop);
    try {
      await writeChunks(target, encrypted ? await decrypt(source, start, chunks, decrypter, options) : chunks);
    } catch (error) {
      if (isFieldsealError(error)) throw error;
      // Reading fails with the system's code; the library's own errors are without one.
      if (error instanceof Error && 'code' in error) throw unreadableBackup(source, error);
      throw invalid(damaged(source));
    }
    return { ...counter.finish(), encrypted };
  } finally {
    await input.close();
  }
}

async function opened(source: string): Promise<promises.FileHandle> {
  try {
    return await promises.open(source, 'r');
  } catch (error) {
    throw unreadableBackup(source, error);
  }
}

/** As much as a header may have, a character for each byte. */
async function readStart(input: promises.FileHandle, source: string): Promise<string> {
  try {
    const { buffer, bytesRead } = await input.read(Buffer.alloc(MAX_HEADER_BYTES), 0, MAX_HEADER_BYTES, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } catch (error) {
    throw unreadableBackup(source, error);
  }
}

function assertPlainAllowed(source: string, start: string, { encrypted }: OpenBackupOptions): void {
  if (!start.startsWith(SQLITE_START)) {
    throw invalid(`The backup ${source} is neither a (binary) age file nor a SQLite database`);
  }
  if (encrypted) {
    throw invalid(
      `The backup ${source} is not encrypted; a plain one is taken only with BACKUP_ENCRYPTION_ENABLED=false`,
    );
  }
}

async function decrypt(
  source: string,
  start: string,
  chunks: ReadableStream<Uint8Array>,
  decrypter: Decrypter | null,
  { identities, passphrase }: BackupKeys,
): Promise<ReadableStream<Uint8Array>> {
  const header = /^.*?\n--- [^\n]*\n/s.exec(start)?.[0];
  if (header === undefined) throw invalid(`The backup ${source} is damaged: its age header has no end`);
  if (start.length < header.length + NONCE_BYTES) throw invalid(damaged(source));
  if (!decrypter) {
    throw new FieldsealError(
      'ERR_CONFIG_INVALID',
      `The backup ${source} is encrypted; give the identity (BACKUP_IDENTITY) or the passphrase (BACKUP_PASSPHRASE) that opens it.`,
    );
  }
  const isForPassphrase = header.includes('\n-> scrypt ');
  if (isForPassphrase && passphrase === null) {
    throw invalid(`The backup ${source} is encrypted with a passphrase, and none was given`);
  }
  if (!isForPassphrase && identities.length === 0) {
    throw invalid(`The backup ${source} is encrypted to a recipient, and no identity was given`);
  }
  try {
    return await decrypter.decrypt(chunks);
  } catch (error) {
    if (isFieldsealError(error) || (error instanceof Error && 'code' in error)) throw error;
    const key = isForPassphrase ? 'passphrase' : 'identity';
    throw invalid(`The backup ${source} does not open: the ${key} is another one, or its header is damaged`);
  }
}

function damaged(source: string): string {
  return `The backup ${source} is damaged or cut short`;
}

function invalid(sentence: string): FieldsealError {
  return new FieldsealError('ERR_BACKUP_INVALID', `${sentence}.`);
}
