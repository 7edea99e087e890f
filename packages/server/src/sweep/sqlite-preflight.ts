/** Whether the declared columns of a SQLite database can be swept at all; every objection at once. */
import type Database from 'better-sqlite3';
import { type ErrorCode, FieldsealError, type Model, type Storage } from 'fieldseal';
import type { RunKind } from '../store/store.js';
import { type DeclaredTable, declaredTables, writtenColumns } from './declared-table.js';
import { isOwnTable } from './own-tables.js';
import { sameName } from './sql-tokens.js';
import {
  type CatalogueTable,
  constrainedNames,
  keepsBytes,
  keepsText,
  readForeignKeyColumns,
  readIndexes,
  readTables,
  readUpdateTriggers,
} from './sqlite-catalogue.js';
import type { Preflight, SweptTable } from './swept-table.js';

interface Objection {
  readonly code: ErrorCode;
  readonly text: string;
}

const ROWID_NAMES = ['rowid', '_rowid_', 'oid'];

function includesName(names: readonly string[], name: string): boolean {
  return names.some((candidate) => sameName(candidate, name));
}

/** What stands against sweeping `column`, in words. */
function columnObjections(
  db: Database.Database,
  table: CatalogueTable,
  { column, storage }: { readonly column: string; readonly storage: Storage },
): string[] {
  const info = table.columns.find((candidate) => sameName(candidate.name, column));
  if (!info) return [];
  const { checked, generating } = constrainedNames(table);
  const indexes = readIndexes(db, table.name);
  const objections: string[] = [];
  if (info.generated) objections.push('is a generated column');
  else if (storage === 'text' && !keepsText(info, table.strict)) {
    objections.push(`has the type ${info.declaredType}, which does not keep text as it is; make it TEXT`);
  } else if (storage === 'bytes' && !keepsBytes(info, table.strict)) {
    objections.push(`has the type ${info.declaredType}, which does not keep bytes; make it BLOB`);
  }
  if (includesName(readForeignKeyColumns(db, table.name), column)) objections.push('stands in a foreign key');
  if (includesName(checked, column)) objections.push('stands in a CHECK constraint');
  if (includesName(generating, column)) objections.push('feeds a generated column');
  for (const index of indexes) {
    if (index.unique && includesName(index.columns, column)) objections.push('stands in a UNIQUE key');
    // A plain index on the column is useless once it holds tokens, and harmless.
    else if (!includesName(index.columns, column) && includesName(index.mentioned, column)) {
      objections.push(`stands in an expression or condition of the index ${index.name}`);
    }
  }
  return [...new Set(objections)];
}

/** The key to walk by: the primary key, else a NOT NULL unique key without swept columns. */
function findKey(db: Database.Database, table: CatalogueTable, swept: readonly string[]): string[] | null {
  const primary = table.columns.filter((column) => column.keyPlace > 0).sort((a, b) => a.keyPlace - b.keyPlace);
  if (primary.length > 0) return primary.map((column) => column.name);
  const isUsable = (name: string) =>
    !includesName(swept, name) && table.columns.some((column) => sameName(column.name, name) && column.notNull);
  const unique = readIndexes(db, table.name).find(
    (index) => index.unique && !index.partial && index.columns.length > 0 && index.columns.every(isUsable),
  );
  return unique ? [...unique.columns] : null;
}

/**
 * A rowid table's key may hold NULL, unless it is the rowid itself or declared NOT NULL: null then, else a name of the
 * rowid that no column has taken; undefined when all are taken.
 */
function rowidName(
  db: Database.Database,
  table: CatalogueTable,
  keyColumns: readonly string[],
): string | null | undefined {
  if (table.withoutRowid) return null;
  const keys = table.columns.filter((column) => includesName(keyColumns, column.name));
  // The rowid itself is the one primary key that needs no index.
  const isRowid = keys[0]?.keyPlace === 1 && !readIndexes(db, table.name).some((index) => index.primaryKey);
  if (isRowid || keys.every((column) => column.notNull)) return null;
  return ROWID_NAMES.find((name) => !table.columns.some((column) => sameName(column.name, name)));
}

function sweptTable(
  db: Database.Database,
  table: CatalogueTable,
  { key: declaredKey, fields, indexes, indexesOnly, context }: DeclaredTable,
): SweptTable | Objection[] {
  const written = writtenColumns({ fields, indexes });
  const absent = [...new Set([...declaredKey, ...written, ...context])].filter(
    (name) => !table.columns.some((column) => sameName(column.name, name)),
  );
  if (absent.length > 0) {
    return absent.map((name) => ({
      code: 'ERR_COLUMN_NOT_FOUND',
      text: `${table.name}.${name} is not in the database`,
    }));
  }
  const keyColumns = findKey(db, table, written);
  if (!keyColumns) {
    const text = `${table.name} has no primary key, and no NOT NULL unique key that is not swept itself; add one`;
    return [{ code: 'ERR_TABLE_NO_KEY', text }];
  }
  if (declaredKey.length !== keyColumns.length || !declaredKey.every((name) => includesName(keyColumns, name))) {
    const text = `${table.name}: primaryKey is declared as ${declaredKey.join(', ')}, but it is ${keyColumns.join(', ')}`;
    return [{ code: 'ERR_TABLE_NO_KEY', text }];
  }
  const rowid = rowidName(db, table, keyColumns);
  if (rowid === undefined) {
    const text = `${table.name}: ${keyColumns.join(', ')} may be NULL, and ${ROWID_NAMES.join(', ')} are columns, so that such rows cannot be told apart; make it NOT NULL`;
    return [{ code: 'ERR_TABLE_NO_KEY', text }];
  }
  const columns = [...fields, ...indexes.map(({ column }) => ({ column, storage: 'text' as const }))];
  const objections = columns.flatMap((column) =>
    columnObjections(db, table, column).map(
      (text): Objection => ({ code: 'ERR_COLUMN_UNSUITABLE', text: `${table.name}.${column.column} ${text}` }),
    ),
  );
  if (objections.length > 0) return objections;
  const keyNames = keyColumns.map((column) => declaredKey.find((name) => sameName(name, column)) as string);
  return {
    name: table.name,
    keyColumns,
    keyNames,
    rowidName: rowid,
    fields,
    indexes,
    // A row with a NULL in its key is walked by its rowid, and may have its tenant all the same.
    context: rowid === null ? context.filter((name) => !declaredKey.includes(name)) : context,
    ...(indexesOnly && { indexesOnly }),
  };
}

/**
 * Matches a model with the database.
 * @throws FieldsealError `ERR_TABLE_NOT_FOUND`, `ERR_COLUMN_NOT_FOUND`, `ERR_TABLE_NO_KEY`, `ERR_COLUMN_UNSUITABLE` (the
 * code of the first objection; the message lists them all), or `ERR_TABLE_TRIGGERS` unless those are allowed
 */
export function sqlitePreflight(
  db: Database.Database,
  model: Model,
  { kind, allowTriggers }: { readonly kind: RunKind; readonly allowTriggers: boolean },
): Preflight {
  const catalogue = readTables(db);
  const tables: SweptTable[] = [];
  const objections: Objection[] = [];
  for (const declared of declaredTables(model, kind)) {
    if (isOwnTable(declared.name)) {
      const text = `the table ${declared.name} is one of Fieldseal itself, which sweeps it undeclared`;
      objections.push({ code: 'ERR_TABLE_NOT_FOUND', text });
      continue;
    }
    const table = catalogue.find((candidate) => sameName(candidate.name, declared.name));
    if (!table) {
      objections.push({ code: 'ERR_TABLE_NOT_FOUND', text: `the table ${declared.name} is not in the database` });
      continue;
    }
    const result = sweptTable(db, table, declared);
    if (Array.isArray(result)) objections.push(...result);
    else tables.push(result);
  }
  const [first] = objections;
  if (first)
    throw new FieldsealError(first.code, `The declaration does not fit: ${objections.map((o) => o.text).join('; ')}.`);
  const triggers = tables.flatMap((table) =>
    readUpdateTriggers(
      db,
      table.name,
      writtenColumns({ fields: table.indexesOnly ? [] : table.fields, indexes: table.indexes ?? [] }),
    ).map((trigger) => `${table.name}: ${trigger}`),
  );
  if (triggers.length > 0 && !allowTriggers) {
    throw new FieldsealError(
      'ERR_TABLE_TRIGGERS',
      `Triggers run when a swept column is updated, and may copy or change it (${triggers.join('; ')}); ` +
        'look at them, then allow them with --allow-triggers.',
    );
  }
  return { tables, triggers };
}
