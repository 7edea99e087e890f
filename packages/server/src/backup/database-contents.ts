/** What a copied database holds: that it is whole, and what of ours is in it. */
import { closeSync, openSync, readSync } from 'node:fs';
import { FieldsealError, isFieldsealError } from 'fieldseal';
import { openSqlite } from '../store/open-sqlite.js';
import { openStore } from '../store/open-store.js';

const SQLITE_START = Buffer.from('SQLite format 3\0');

/** The part of a report that is about the database. */
export interface DatabaseContents {
  /** How many tables, the application's and ours. */
  readonly tables: number;
  /** Null: the backup was made before there was one. */
  readonly keyring: KeyringContents | null;
}

/** The ring in a backup. */
export interface KeyringContents {
  readonly id: string;
  readonly generation: number;
  readonly keys: number;
  /** Fingerprints of the root keys, each of which opens it. */
  readonly roots: readonly string[];
}

/**
 * Reads the whole of `file`, which came out of the backup `source`.
 * @throws FieldsealError `ERR_BACKUP_INVALID`
 */
export function assertIntact(file: string, source: string): void {
  // SQLite takes an empty file for an empty database.
  if (!startOf(file).equals(SQLITE_START)) throw invalid(`The backup ${source} holds no SQLite database`);
  try {
    const database = openSqlite(file, { mustExist: true });
    try {
      if (database.pragma('integrity_check(1)', { simple: true }) === 'ok') return;
    } finally {
      database.close();
    }
  } catch (error) {
    // Of the driver (SQLITE_CORRUPT) or of openSqlite: the file is ours alone, so it can only be its content.
    if (!isFieldsealError(error) && !(error instanceof Error && 'code' in error)) throw error;
  }
  throw invalid(`The backup ${source} holds a damaged SQLite database (integrity_check)`);
}

/** @throws FieldsealError `ERR_STORE_NEWER`, `ERR_STORE_FOREIGN_TABLE`, `ERR_KEYRING_TAMPERED` */
export async function contentsOf(file: string): Promise<DatabaseContents> {
  const store = await openStore({ dialect: 'sqlite', file }, { mustExist: true, migrate: false });
  try {
    const ring = await store.keyring.load();
    const keyring = ring && {
      id: ring.id,
      generation: ring.generation,
      keys: ring.keys.length,
      roots: Object.keys(ring.macs),
    };
    return { tables: countTables(file), keyring };
  } finally {
    await store.close();
  }
}

function countTables(file: string): number {
  const database = openSqlite(file, { mustExist: true });
  try {
    const query = `select count(*) from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\'`;
    return database.prepare<[], number>(query).pluck().get() ?? 0;
  } finally {
    database.close();
  }
}

function startOf(file: string): Buffer {
  const start = Buffer.alloc(SQLITE_START.length);
  const descriptor = openSync(file, 'r');
  try {
    return start.subarray(0, readSync(descriptor, start, 0, start.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

function invalid(sentence: string): FieldsealError {
  return new FieldsealError('ERR_BACKUP_INVALID', `${sentence}.`);
}
