/**
 * Takes over the tables of the Python original: their rows are copied aside, our tables are made, and the rows go in with
 * their ids. It all happens in the transaction of the migration, so that a failure leaves the original as it was.
 *
 * On PostgreSQL only the schema of `place` is looked at. The Python original kept its tables in `public`: whoever wants
 * them taken over starts with DATABASE_SCHEMA=public, and nobody loses them to a new service by surprise.
 */
import { FieldsealError } from 'fieldseal';
import { type Kysely, sql } from 'kysely';
import {
  type ColumnKind,
  type Columns,
  columnSql,
  ORIGINAL_TABLES,
  type OriginalTable,
  type OriginalTableName,
  suits,
} from './original-tables.js';
import type { StoreSchema } from './schema.js';
import { qualify, quoted, type StorePlace } from './store-place.js';

const LOCK_TIMEOUT = '10s';
const IDS_IN_MESSAGE = 5;

/** The rows of an original table, while its own place is taken by ours. */
export interface OriginalCopy {
  readonly table: OriginalTableName;
  /** The name of the copy as SQL. */
  readonly from: string;
  readonly columns: Columns;
}

/** Whether the table of that name, which exists, is the Python original's: it has all the columns of that one. */
export async function isOriginal(
  db: Kysely<StoreSchema>,
  place: StorePlace,
  table: keyof StoreSchema,
): Promise<boolean> {
  if (!isOriginalName(table)) return false;
  const columns = await tableColumns(db, place, table);
  return Object.entries(ORIGINAL_TABLES[table].core).every(([column, kind]) => {
    const type = columns.get(column);
    return type !== undefined && suits(place.dialect, kind, type);
  });
}

/**
 * Moves the rows of an original table into a copy, and the table away with its indexes, whose names we need.
 * @throws FieldsealError `ERR_STORE_FOREIGN_TABLE` when rows would not fit or something else depends on the table
 */
export async function setAside(
  tx: Kysely<StoreSchema>,
  place: StorePlace,
  table: keyof StoreSchema,
): Promise<OriginalCopy> {
  if (!isOriginalName(table)) throw new TypeError(`The Python original has no table ${table}`);
  const original = qualify(table, place);
  if (place.dialect === 'postgres') {
    // A process of the Python original may still write; and under row security a copy would miss rows without a word.
    await sql`select set_config('lock_timeout', ${LOCK_TIMEOUT}, true), set_config('row_security', 'off', true)`.execute(
      tx,
    );
    await sql.raw(`lock table ${original} in access exclusive mode`).execute(tx);
  }
  const columns = await tableColumns(tx, place, table);
  await assertRowsFit(tx, place, table, columns);
  await assertNothingDependsOn(tx, place, table);
  const from = qualify(`fieldseal_original_${table}`, place);
  await sql.raw(`create table ${from} as select * from ${original}`).execute(tx);
  await sql.raw(`drop table ${original}`).execute(tx);
  return { table, from, columns };
}

/** Puts the rows of a copy into our table, which is new and empty, and ends the copy. Unknown columns come with them. */
export async function restoreRows(tx: Kysely<StoreSchema>, place: StorePlace, copy: OriginalCopy): Promise<void> {
  const { table, from, columns } = copy;
  const ours = qualify(table, place);
  const values = new Map<string, string>();
  for (const [column, kind] of knownColumns(ORIGINAL_TABLES[table], columns)) {
    values.set(column, columnSql(place.dialect, columns, column, kind));
  }
  for (const [column, expression] of Object.entries(ORIGINAL_TABLES[table].made(place.dialect, columns))) {
    values.set(column, expression);
  }
  const own = await tableColumns(tx, place, table);
  for (const [column, type] of columns) {
    if (values.has(column)) continue;
    if (own.has(column)) throw refusal(table, `it has a column ${column} of its own, a name that Fieldseal needs`);
    // Without NOT NULL or a default: rows of ours leave it empty.
    await sql.raw(`alter table ${ours} add column ${quoted(column)} ${type}`).execute(tx);
    values.set(column, quoted(column));
  }
  const names = [...values.keys()].map(quoted).join(', ');
  await sql
    .raw(`insert into ${ours} (${names}) select ${[...values.values()].join(', ')} from ${from} order by "id"`)
    .execute(tx);
  await sql.raw(`drop table ${from}`).execute(tx);
  // SQLite's AUTOINCREMENT has seen the ids already.
  if (place.dialect === 'postgres') {
    await sql`select setval(pg_get_serial_sequence(${ours}, 'id'), max(id)) from ${sql.raw(ours)}
      having max(id) > 0`.execute(tx);
  }
}

function isOriginalName(table: string): table is OriginalTableName {
  return Object.hasOwn(ORIGINAL_TABLES, table);
}

/** The columns whose meaning is known, of those that there are. */
function knownColumns(original: OriginalTable, columns: Columns): [string, ColumnKind][] {
  return Object.entries({ ...original.optional, ...original.core }).filter(([column]) => columns.has(column));
}

/** Names and declared types of the columns of an ordinary table; none for a view. SQLite's names in lower case. */
async function tableColumns(db: Kysely<StoreSchema>, place: StorePlace, table: string): Promise<Columns> {
  const query =
    place.dialect === 'sqlite'
      ? sql<{ name: string; type: string }>`select lower(c.name) as name,
          case when c.name = 'id' and c.pk <> 1 then '' else c.type end as type
          from sqlite_master t join pragma_table_xinfo(t.name) c
          where t.type = 'table' and lower(t.name) = ${table} and t.sql not like 'create virtual%' and c.hidden <> 1
          order by c.cid`
      : sql<{ name: string; type: string }>`select a.attname as name, format_type(a.atttypid, a.atttypmod) as type
          from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
          where n.nspname = ${place.schema} and c.relname = ${table} and c.relkind = 'r'
            and a.attnum > 0 and not a.attisdropped
          order by a.attnum`;
  const { rows } = await query.execute(db);
  return new Map(rows.map(({ name, type }) => [name, type]));
}

async function assertRowsFit(
  tx: Kysely<StoreSchema>,
  place: StorePlace,
  table: OriginalTableName,
  columns: Columns,
): Promise<void> {
  const original = ORIGINAL_TABLES[table];
  const ids = async (condition: string) => {
    const { rows } = await sql
      .raw<{ id: number }>(
        `select "id" as id from ${qualify(table, place)} where ${condition} order by "id" limit ${IDS_IN_MESSAGE}`,
      )
      .execute(tx);
    return rows.map(({ id }) => id).join(', ');
  };
  for (const [column, kind] of knownColumns(original, columns)) {
    const value = columnSql(place.dialect, columns, column, kind);
    if (original.required.includes(column)) {
      const without = await ids(`"${column}" is null or ${value} is null`);
      if (without !== '') throw refusal(table, `rows have no usable ${column} (id ${without})`);
    } else if (kind === 'time') {
      const unreadable = await ids(`"${column}" is not null and ${value} is null`);
      if (unreadable !== '') throw refusal(table, `${column} is no time in some rows (id ${unreadable})`);
    }
  }
  const { unique } = original;
  if (unique === undefined) return;
  const repeated = await ids(
    `"${unique}" in (select "${unique}" from ${qualify(table, place)} group by "${unique}" having count(*) > 1)`,
  );
  if (repeated !== '') throw refusal(table, `rows have the same ${unique} (id ${repeated})`);
}

/** What would be lost, emptied or broken with the table that goes. */
async function assertNothingDependsOn(
  tx: Kysely<StoreSchema>,
  place: StorePlace,
  table: OriginalTableName,
): Promise<void> {
  const query =
    place.dialect === 'sqlite'
      ? sql<{ what: string }>`
          select 'a foreign key of the table ' || t.name as what from sqlite_master t join pragma_foreign_key_list(t.name) f
            where t.type = 'table' and lower(f."table") = ${table} and lower(t.name) <> ${table}
          union all select 'the trigger ' || name from sqlite_master where type = 'trigger' and lower(tbl_name) = ${table}
          order by 1 limit 1`
      : sql<{ what: string }>`
          with original as (select ${qualify(table, place)}::regclass as oid)
          select 'a foreign key of the table ' || conrelid::regclass::text as what from pg_constraint, original
            where confrelid = original.oid and conrelid <> original.oid and contype = 'f'
          union all select 'the trigger ' || tgname from pg_trigger, original
            where tgrelid = original.oid and not tgisinternal
          union all select 'the view ' || r.ev_class::regclass::text from original
            join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = original.oid
            join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
          order by 1 limit 1`;
  const { rows } = await query.execute(tx);
  const [found] = rows;
  if (found) throw refusal(table, `${found.what} depends on it and must be dropped first`);
}

function refusal(table: string, reason: string): FieldsealError {
  return new FieldsealError(
    'ERR_STORE_FOREIGN_TABLE',
    `The table ${table} of the Python original cannot be taken over: ${reason}.`,
  );
}
