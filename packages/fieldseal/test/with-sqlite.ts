/** A real SQLite file, gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';

/** A folder of its own for `work`. */
export async function withFolder<T>(work: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'fieldseal-test-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** An open SQLite database in a file of its own for `work`. */
export async function withSqlite<T>(work: (database: Database.Database) => T | Promise<T>): Promise<T> {
  return withFolder(async (folder) => {
    const database = new Database(join(folder, 'test.db'));
    try {
      return await work(database);
    } finally {
      database.close();
    }
  });
}
