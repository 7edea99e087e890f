/** What a SQLite file says of its tables. */
import type Database from 'better-sqlite3';
import { namesInside, sameName, sqlTokens } from './sql-tokens.js';

/** One column. */
export interface CatalogueColumn {
  readonly name: string;
  readonly declaredType: string;
  readonly notNull: boolean;
  /** 1-based place in the primary key; 0 outside it. */
  readonly keyPlace: number;
  readonly generated: boolean;
}

/** One ordinary table. */
export interface CatalogueTable {
  readonly name: string;
  readonly sql: string;
  readonly columns: readonly CatalogueColumn[];
  readonly withoutRowid: boolean;
  readonly strict: boolean;
}

/** An index, with the names that its expressions and its WHERE mention. */
export interface CatalogueIndex {
  readonly name: string;
  readonly unique: boolean;
  readonly primaryKey: boolean;
  readonly partial: boolean;
  /** Plain columns, in order. */
  readonly columns: readonly string[];
  readonly mentioned: readonly string[];
}

interface TableListRow {
  name: string;
  wr: number;
  strict: number;
  sql: string;
}

/** The ordinary tables of the file, in the order of their names; without SQLite's own. */
export function readTables(db: Database.Database): CatalogueTable[] {
  const rows = db
    .prepare(
      `SELECT l.name, l.wr, l.strict, m.sql FROM pragma_table_list l JOIN sqlite_schema m ON m.type = 'table' AND m.name = l.name
       WHERE l.schema = 'main' AND l.type = 'table' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY l.name`,
    )
    .all() as TableListRow[];
  return rows.map(({ name, wr, strict, sql }) => ({
    name,
    sql,
    columns: readColumns(db, name),
    withoutRowid: wr === 1,
    strict: strict === 1,
  }));
}

function readColumns(db: Database.Database, table: string): CatalogueColumn[] {
  const rows = db.prepare('SELECT name, type, "notnull" AS required, pk, hidden FROM pragma_table_xinfo(?)').all(table);
  return (rows as { name: string; type: string; required: number; pk: number; hidden: number }[]).map((row) => ({
    name: row.name,
    declaredType: row.type,
    notNull: row.required === 1,
    keyPlace: row.pk,
    generated: row.hidden === 2 || row.hidden === 3,
  }));
}

/** The table's indexes, those of its constraints included. */
export function readIndexes(db: Database.Database, table: string): CatalogueIndex[] {
  const list = db.prepare('SELECT name, "unique" AS isUnique, origin, partial FROM pragma_index_list(?)').all(table);
  // A NULL stands for an expression.
  const columnsOf = db.prepare('SELECT name FROM pragma_index_info(?) ORDER BY seqno').pluck();
  const sqlOf = db.prepare("SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?").pluck();
  return (list as { name: string; isUnique: number; origin: string; partial: number }[]).map((row) => {
    const columns = columnsOf.all(row.name) as (string | null)[];
    const isPlain = row.partial === 0 && !columns.includes(null);
    return {
      name: row.name,
      unique: row.isUnique === 1,
      primaryKey: row.origin === 'pk',
      partial: row.partial === 1,
      columns: columns.filter((column) => column !== null),
      mentioned: isPlain ? [] : namesBehindTable((sqlOf.get(row.name) as string | null) ?? ''),
    };
  });
}

/** The names in `CREATE INDEX … ON table (…) WHERE …` from the first parenthesis on: not the index's, not the table's. */
function namesBehindTable(sql: string): string[] {
  const tokens = sqlTokens(sql);
  const start = tokens.findIndex((token) => token.kind === 'other' && token.text === '(');
  return tokens.slice(start).flatMap((token) => (token.kind === 'name' ? [token.text] : []));
}

/** The columns of the table that stand in a foreign key, on either side of it. */
export function readForeignKeyColumns(db: Database.Database, table: string): string[] {
  const own = db.prepare('SELECT "from" FROM pragma_foreign_key_list(?)').pluck().all(table) as string[];
  const referenced = db
    .prepare(
      `SELECT f."to" AS column, f."table" AS parent FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
       WHERE m.type = 'table' AND f."to" IS NOT NULL`,
    )
    .all() as { column: string; parent: string }[];
  return [...own, ...referenced.filter(({ parent }) => sameName(parent, table)).map(({ column }) => column)];
}

/** The triggers of the table that fire on an update of `column`. */
export function readUpdateTriggers(db: Database.Database, table: string, columns: readonly string[]): string[] {
  const rows = db.prepare("SELECT name, tbl_name AS tableName, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  return (rows as { name: string; tableName: string; sql: string }[])
    .filter(({ tableName, sql }) => sameName(tableName, table) && firesOnUpdateOf(sql, columns))
    .map(({ name }) => name);
}

function firesOnUpdateOf(sql: string, columns: readonly string[]): boolean {
  // SQLite keeps it as `CREATE TRIGGER name …`, where the name may be any word; after it come the moment and the event.
  const words = sqlTokens(sql)
    .slice(3)
    .map((token) => token.text);
  const isWord = (i: number, ...names: string[]) => names.some((name) => sameName(words[i] ?? '', name));
  const event = words.findIndex((_, i) => isWord(i, 'insert', 'update', 'delete'));
  if (!isWord(event, 'update')) return false;
  // UPDATE OF a, b ON t: only those columns fire it. SQLite takes 'a' in single quotes for a name here.
  if (!isWord(event + 1, 'of')) return true;
  for (let i = event + 2; ; i += 2) {
    const name = words[i]?.replace(/^'(.*)'$/s, '$1').replaceAll("''", "'") ?? '';
    if (columns.some((column) => sameName(name, column))) return true;
    if (words[i + 1] !== ',') return false;
  }
}

/** The names that the table's CHECK constraints and generated columns mention. */
export function constrainedNames(table: CatalogueTable): { checked: string[]; generating: string[] } {
  const tokens = sqlTokens(table.sql);
  return { checked: namesInside(tokens, 'check'), generating: namesInside(tokens, 'as') };
}

/** SQLite's affinity rules (datatype3 §3.1), as far as text cares. */
export function keepsText({ declaredType }: CatalogueColumn, strict: boolean): boolean {
  const type = declaredType.toUpperCase();
  if (strict) return type === 'TEXT' || type === 'ANY';
  if (type.includes('INT')) return false;
  return /CHAR|CLOB|TEXT|BLOB/.test(type) || type === '';
}

/** The same of bytes. No affinity changes a blob; a strict table takes them into a BLOB column only. */
export function keepsBytes({ declaredType }: CatalogueColumn, strict: boolean): boolean {
  return !strict || ['BLOB', 'ANY'].includes(declaredType.toUpperCase());
}
