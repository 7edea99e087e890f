/** A look at what a column holds, for `scan`. */
import type Database from 'better-sqlite3';
import type { Stored } from 'fieldseal';
import { quoteName } from './sql-tokens.js';
import type { CatalogueTable } from './sqlite-catalogue.js';

/** From each end of a table. */
const SAMPLES = 500;

/** Longer bytes are files, not fields, and would only fill the memory. */
const LONGEST_BLOB = 4096;

/** Some of the column's texts and bytes: the first ones, and of a larger table with rowids the last ones too. */
export function readSamples(db: Database.Database, table: CatalogueTable, column: string): Stored[] {
  const name = quoteName(column);
  const select = `SELECT ${name} FROM ${quoteName(table.name)} WHERE (typeof(${name}) = 'text' OR typeof(${name}) = 'blob' AND length(${name}) <= ${LONGEST_BLOB})`;
  const first = db.prepare(`${select} LIMIT ?`).pluck().all(SAMPLES) as Stored[];
  if (first.length < SAMPLES || table.withoutRowid) return first;
  return [...first, ...(db.prepare(`${select} ORDER BY rowid DESC LIMIT ?`).pluck().all(SAMPLES) as Stored[])];
}
