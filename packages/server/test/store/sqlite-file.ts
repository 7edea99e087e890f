/** Gives a test the name of a SQLite file in a folder of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';

export async function withSqliteFile<T>(work: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fieldseal-store-'));
  try {
    return await work(join(folder, 'test.db'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a statement on the file, on a connection of its own, and gives its rows; `{t}` before a table's name is left out. */
export async function executeOn(file: string, sql: string): Promise<Record<string, unknown>[]> {
  const database = new Database(file);
  try {
    const statement = database.prepare<[], Record<string, unknown>>(sql.replaceAll('{t}', ''));
    if (statement.reader) return statement.all();
    statement.run();
    return [];
  } finally {
    database.close();
  }
}
