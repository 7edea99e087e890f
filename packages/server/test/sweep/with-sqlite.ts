/** A SQLite file of a test's own, as several connections may open it, made by SQL. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';

/** Runs `work` with the first connection, and a function that opens another one; all are closed afterwards. */
export function withSqlite<T>(sql: string, work: (db: Database.Database, connect: () => Database.Database) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'fieldseal-sweep-'));
  const open: Database.Database[] = [];
  const connect = () => {
    const db = new Database(join(folder, 'app.db'));
    open.push(db);
    return db;
  };
  try {
    return work(connect().exec(sql), connect);
  } finally {
    for (const db of open) db.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
