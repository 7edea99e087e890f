/** Whether the declared columns of a PostgreSQL database can be swept at all; every objection at once. */
import { type ErrorCode, type Field, FieldsealError, type Model, type Storage } from 'fieldseal';
import type { RunKind } from '../store/store.js';
import { type DeclaredTable, declaredTables, writtenColumns } from './declared-table.js';
import {
  declaredName,
  findRelation,
  isUnderRowSecurity,
  type PostgresColumn,
  type PostgresRelation,
  readHeirs,
  readKeys,
  readLeaves,
  readPostgresColumns,
  readPostgresTriggers,
  sqlName,
} from './postgres-catalogue.js';
import type { PostgresSession } from './postgres-session.js';
import { quoteName } from './sql-tokens.js';
import type { PostgresSweptTable, Preflight } from './swept-table.js';

export interface PostgresPreflightOptions {
  readonly kind: RunKind;
  readonly allowTriggers: boolean;
  /** Where the service's own tables are; nothing declared is looked for there first. */
  readonly serviceSchema: string;
}

interface Objection {
  readonly code: ErrorCode;
  readonly text: string;
}

/** What a table came to. */
interface Checked {
  readonly tables: readonly PostgresSweptTable[];
  readonly triggers: readonly string[];
  readonly objections: readonly Objection[];
}

const OTHER_KINDS: Readonly<Record<string, string>> = {
  f: 'a foreign table',
  v: 'a view',
  m: 'a materialized view',
};

/** What stands against sweeping the column, in words. */
function columnObjections(column: PostgresColumn, storage: Storage): string[] {
  const objections: string[] = [];
  if (column.isGenerated) objections.push('is a generated column');
  else if (storage === 'bytes' && column.castType !== 'bytea') {
    objections.push(`has the type ${column.shownType}, and is declared to be stored as bytes; make it bytea`);
  } else if (storage === 'text' && !column.isText) {
    objections.push(`has the type ${column.shownType}, which does not keep text as it is; make it text`);
  }
  if (column.isInForeignKey) objections.push('stands in a foreign key');
  if (column.isInCheck) objections.push('stands in a CHECK constraint');
  if (column.feedsGenerated) objections.push('feeds a generated column');
  if (column.isInPartitionKey) objections.push('stands in the partition key');
  if (column.isUnique) objections.push('stands in a UNIQUE key');
  if (column.isInExclusion) objections.push('stands in an EXCLUDE constraint');
  for (const index of column.indexes) {
    objections.push(`stands in an expression or condition of the index ${index}`);
  }
  return objections;
}

/** Tokens by their look (of `fernet`, `xaes` and `xaes-subject`); one that no key opens stays as it is, whatever its length. */
const TOKEN_SHAPED = '^(gAAAAA[-_A-Za-z0-9]+=*|A[Q-Za-v][-_A-Za-z0-9]{58,})$';

/**
 * Whether tokens fit into a varchar(n): those of the declared length, else of the longest plaintext that there is. A
 * rotation makes tokens as long as those before it; runs of other kinds make none.
 */
async function widthObjection(
  session: PostgresSession,
  relation: PostgresRelation,
  column: PostgresColumn,
  field: Field<unknown>,
  kind: RunKind,
): Promise<string | null> {
  const { maxCharacters } = column;
  if (maxCharacters === null || !column.isText || field.storage === 'bytes') return null;
  if (kind !== 'encrypt' && kind !== 'rotate') return null;
  const table = sqlName(relation);
  const name = quoteName(column.name);
  const longestNow = async () => {
    const [row] = await session.queryAtLength(
      `SELECT max(octet_length(convert_to(${name}::text, 'UTF8'))) AS bytes FROM ${table} WHERE ${name}::text COLLATE "C" !~ '${TOKEN_SHAPED}'`,
    );
    return Number(row?.['bytes'] ?? 0);
  };
  if (field.maxBytes === null && kind === 'rotate') return null;
  const needed = field.storedLength(field.maxBytes ?? (await longestNow()));
  if (needed <= maxCharacters) return null;
  return `has the type ${column.shownType}, too short for tokens of up to ${needed} characters; ALTER TABLE ${table} ALTER COLUMN ${name} TYPE text mends that`;
}

function unsuitable(place: string, column: string, text: string): Objection {
  return { code: 'ERR_COLUMN_UNSUITABLE', text: `${place}.${column} ${text}` };
}

/** What stands against sweeping the declared columns, in words. */
function declaredObjections(
  columns: readonly PostgresColumn[],
  place: string,
  { fields, indexes }: DeclaredTable,
): Objection[] {
  const swept = [...fields, ...indexes.map(({ column }) => ({ column, storage: 'text' as const }))];
  return swept.flatMap(({ column: name, storage }) =>
    columns
      .filter((column) => column.name === name)
      .flatMap((column) => columnObjections(column, storage).map((text) => unsuitable(place, name, text))),
  );
}

/**
 * What stands against binding new values to the row's key, tenant or subject. A token is bound to one text: of a `char(5)`
 * the database's own has no blanks where an application's has, and a date is no text in it at all. What opens here already
 * may be rotated and decrypted, whatever its type.
 */
function contextObjections(
  columns: readonly PostgresColumn[],
  place: string,
  { key, context, bindsKey }: DeclaredTable,
  kind: RunKind,
): Objection[] {
  if (kind !== 'encrypt' && kind !== 'index') return [];
  return [...new Set([...(bindsKey ? key : []), ...context])].flatMap((name) => {
    const column = columns.find((candidate) => candidate.name === name);
    const isFit = column?.bindsAs === 'text' || (column?.bindsAs === 'bytes' && !context.includes(name));
    if (!column || isFit) return [];
    const text = `has the type ${column.shownType}, to which no value can be bound: applications read it as something else than its text; make it text, uuid or a whole number`;
    return [unsuitable(place, name, text)];
  });
}

/** The key to walk by: the primary key, else the declared one of the NOT NULL unique keys without swept columns. */
async function findKey(
  session: PostgresSession,
  { oid }: PostgresRelation,
  place: string,
  { key, fields, indexes }: DeclaredTable,
): Promise<readonly string[] | Objection> {
  const swept = writtenColumns({ fields, indexes });
  const keys = (await readKeys((...args) => session.query(...args), oid)).filter(
    ({ isPrimary, columns }) => isPrimary || !columns.some((column) => swept.includes(column)),
  );
  const isDeclared = ({ columns }: { columns: readonly string[] }) =>
    columns.length === key.length && columns.every((column) => key.includes(column));
  const [first] = keys;
  if (!first) {
    const text = `${place} has no primary key, and no NOT NULL unique key that is not swept itself; add one`;
    return { code: 'ERR_TABLE_NO_KEY', text };
  }
  const found = first.isPrimary ? [first].find(isDeclared) : keys.find(isDeclared);
  if (found) return found.columns;
  const text = `${place}: primaryKey is declared as ${key.join(', ')}, but it is ${first.columns.join(', ')}`;
  return { code: 'ERR_TABLE_NO_KEY', text };
}

/** An ordinary table, or one partition. */
async function checkTable(
  session: PostgresSession,
  relation: PostgresRelation,
  place: string,
  declared: DeclaredTable,
  kind: RunKind,
): Promise<Checked> {
  const query = session.query.bind(session);
  const columns = await readPostgresColumns(query, relation.oid);
  const objections = [
    ...declaredObjections(columns, place, declared),
    ...contextObjections(columns, place, declared, kind),
  ];
  const key = await findKey(session, relation, place, declared);
  if (!Array.isArray(key)) return { tables: [], triggers: [], objections: [key as Objection, ...objections] };
  if (await isUnderRowSecurity(query, relation.oid)) {
    const text = `${place} shows the user of DATABASE_URL only some of its rows (row security); use a role with BYPASSRLS`;
    objections.push({ code: 'ERR_COLUMN_UNSUITABLE', text });
  }
  const triggers = await readPostgresTriggers(
    query,
    relation.oid,
    writtenColumns({ fields: declared.indexesOnly ? [] : declared.fields, indexes: declared.indexes }),
  );
  const keys = (key as string[]).map((name) => {
    const column = columns.find((candidate) => candidate.name === name) as PostgresColumn;
    return { column: name, castType: column.castType, isInteger: column.isInteger };
  });
  const table: PostgresSweptTable = {
    name: place,
    keyColumns: key as string[],
    rowidName: null,
    fields: declared.fields,
    indexes: declared.indexes,
    context: declared.context.filter((column) => !keys.some((part) => part.column === column)),
    ...(declared.indexesOnly && { indexesOnly: true }),
    sqlName: sqlName(relation),
    keys,
    ...(triggers.length > 0 && { hasTriggers: true }),
  };
  return { tables: [table], triggers: triggers.map((trigger) => `${place}: ${trigger}`), objections };
}

/** A declared table: itself, or the partitions that hold its rows. */
async function checkDeclared(
  session: PostgresSession,
  relation: PostgresRelation,
  declared: DeclaredTable,
  kind: RunKind,
): Promise<Checked> {
  const refused = (...objections: Objection[]): Checked => ({ tables: [], triggers: [], objections });
  const query = session.query.bind(session);
  const { name, key, fields, indexes, context } = declared;
  const otherKind = OTHER_KINDS[relation.kind];
  if (otherKind) return refused({ code: 'ERR_TABLE_NOT_FOUND', text: `${name} is ${otherKind}, not a table` });
  const columns = await readPostgresColumns(query, relation.oid);
  const absent = [...new Set([...key, ...writtenColumns(declared), ...context])].filter(
    (wanted) => !columns.some((column) => column.name === wanted),
  );
  if (absent.length > 0) {
    return refused(
      ...absent.map((column): Objection => {
        return { code: 'ERR_COLUMN_NOT_FOUND', text: `${name}.${column} is not in the database` };
      }),
    );
  }
  const heirs = await readHeirs(query, relation.oid);
  if (heirs.length > 0) {
    const text = `${name} is inherited by ${heirs.join(', ')}, whose rows its key does not tell apart; make them partitions or tables of their own`;
    return refused({ code: 'ERR_TABLE_NO_KEY', text });
  }
  const widths: Objection[] = [];
  for (const field of fields) {
    const column = columns.find((candidate) => candidate.name === field.column) as PostgresColumn;
    const text = await widthObjection(session, relation, column, field, kind);
    if (text !== null) widths.push(unsuitable(name, field.column, text));
  }
  for (const { column, storedLength } of indexes) {
    const { maxCharacters, shownType } = columns.find((candidate) => candidate.name === column) as PostgresColumn;
    if (maxCharacters === null || maxCharacters >= storedLength) continue;
    const text = `has the type ${shownType}, too short for index values of ${storedLength} characters`;
    widths.push(unsuitable(name, column, text));
  }
  if (relation.kind === 'r') {
    const checked = await checkTable(session, relation, name, declared, kind);
    return { ...checked, objections: [...checked.objections, ...widths] };
  }
  const own = [...declaredObjections(columns, name, declared), ...contextObjections(columns, name, declared, kind)];
  // What stands against the whole stands against each partition, which need not say it again.
  if (own.length + widths.length > 0) return refused(...own, ...widths);
  return checkLeaves(session, relation, declared, kind);
}

/** Leaf by leaf: through the partitioned table itself a batch would look into every one of them. */
async function checkLeaves(
  session: PostgresSession,
  { oid }: PostgresRelation,
  declared: DeclaredTable,
  kind: RunKind,
): Promise<Checked> {
  const all: Checked[] = [];
  for (const leaf of await readLeaves(session.query.bind(session), oid)) {
    const place = declaredName(leaf);
    const text = `${declared.name} has the partition ${place}, which is ${OTHER_KINDS[leaf.kind]} and not swept; detach it`;
    all.push(
      leaf.kind === 'r'
        ? await checkTable(session, leaf, place, declared, kind)
        : { tables: [], triggers: [], objections: [{ code: 'ERR_TABLE_NOT_FOUND', text }] },
    );
  }
  return {
    tables: all.flatMap(({ tables }) => tables),
    triggers: all.flatMap(({ triggers }) => triggers),
    objections: all.flatMap(({ objections }) => objections),
  };
}

/** Tables that are declared twice, under two names or beside the table that they are a partition of. */
function twins(tables: readonly PostgresSweptTable[]): Objection[] {
  return tables.flatMap((table, i) => {
    const twin = tables.slice(0, i).find(({ sqlName: other }) => other === table.sqlName);
    const text = `${twin?.name} and ${table.name} are the same table, ${table.sqlName}`;
    return twin ? [{ code: 'ERR_MODEL_INVALID' as const, text }] : [];
  });
}

/** SQL_ASCII means that nobody knows what the bytes are, and a sweep must not guess. */
async function assertEncoding(session: PostgresSession): Promise<void> {
  const [row] = await session.query("SELECT current_setting('server_encoding') AS encoding");
  if (row?.['encoding'] !== 'SQL_ASCII') return;
  throw new FieldsealError(
    'ERR_DATABASE_FAILED',
    'The database has the encoding SQL_ASCII, under which its text may be anything; move it to one with the encoding UTF8.',
  );
}

/**
 * Matches a model with the database.
 * @throws FieldsealError `ERR_TABLE_NOT_FOUND`, `ERR_COLUMN_NOT_FOUND`, `ERR_TABLE_NO_KEY`, `ERR_COLUMN_UNSUITABLE`,
 * `ERR_MODEL_INVALID` (the code of the first objection; the message lists them all), or `ERR_TABLE_TRIGGERS` unless those
 * are allowed
 */
export async function postgresPreflight(
  session: PostgresSession,
  model: Model,
  { kind, allowTriggers, serviceSchema }: PostgresPreflightOptions,
): Promise<Preflight<PostgresSweptTable>> {
  await assertEncoding(session);
  const all: Checked[] = [];
  for (const declared of declaredTables(model, kind)) {
    const { name } = declared;
    const relation = await findRelation(session.query.bind(session), name, serviceSchema);
    if (!relation) {
      const text = `the table ${name} is not in the database`;
      all.push({ tables: [], triggers: [], objections: [{ code: 'ERR_TABLE_NOT_FOUND', text }] });
      continue;
    }
    all.push(await checkDeclared(session, relation, declared, kind));
  }
  const tables = all.flatMap((checked) => checked.tables);
  const objections = [...all.flatMap((checked) => checked.objections), ...twins(tables)];
  const [first] = objections;
  if (first) {
    throw new FieldsealError(first.code, `The declaration does not fit: ${objections.map((o) => o.text).join('; ')}.`);
  }
  const triggers = all.flatMap((checked) => checked.triggers);
  if (triggers.length > 0 && !allowTriggers) {
    throw new FieldsealError(
      'ERR_TABLE_TRIGGERS',
      `Triggers run when a swept column is updated, and may copy or change it (${triggers.join('; ')}); ` +
        'look at them, then allow them with --allow-triggers.',
    );
  }
  return { tables, triggers };
}
