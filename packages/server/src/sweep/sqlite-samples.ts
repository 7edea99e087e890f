/** A look at what a column holds, for `scan`. */
import type Database from 'better-sqlite3';
import { quoteName } from './sql-tokens.js';
import type { CatalogueTable } from './sqlite-catalogue.js';

/** From each end of a table. */
const SAMPLES = 500;

/** Some of the column's texts: the first ones, and of a larger table with rowids the last ones too. */
export function readSamples(db: Database.Database, table: CatalogueTable, column: string): string[] {
  const name = quoteName(column);
  const select = `SELECT ${name} FROM ${quoteName(table.name)} WHERE typeof(${name}) = 'text'`;
  const first = db.prepare(`${select} LIMIT ?`).pluck().all(SAMPLES) as string[];
  if (first.length < SAMPLES || table.withoutRowid) return first;
  return [...first, ...(db.prepare(`${select} ORDER BY rowid DESC LIMIT ?`).pluck().all(SAMPLES) as string[])];
}
