/** Brings the store's tables up to date: all in one transaction, and safe when several processes start at once. */
import { FieldsealError, isFieldsealError } from 'fieldseal';
import { type Kysely, sql } from 'kysely';
import { MIGRATIONS } from './migrations.js';
import type { StoreSchema } from './schema.js';
import { qualify, type StorePlace } from './store-place.js';
import { isOriginal, type OriginalCopy, restoreRows, setAside } from './take-over.js';

const LATEST_VERSION = Math.max(...MIGRATIONS.map((migration) => migration.version));

/**
 * Runs the migrations that are missing. `db` already looks into `place`. When nothing is missing this is one read.
 * With `apply` false nothing is written, and only what must not be opened at all is refused.
 * @returns the tables of the Python original that are still as they were: none unless `apply` is false
 * @throws FieldsealError `ERR_STORE_FOREIGN_TABLE` for a table of one of our names that neither we nor the Python
 * original made, `ERR_STORE_NEWER` for tables of a later version.
 */
export async function migrate(
  db: Kysely<StoreSchema>,
  place: StorePlace,
  apply: boolean,
): Promise<ReadonlySet<keyof StoreSchema>> {
  const recorded = await recordedVersion(db);
  if (recorded === LATEST_VERSION) return new Set();
  if (!apply) return originalTables(db, await tableNames(db, place), recorded, place);
  await db.transaction().execute((tx) => applyMissing(tx, place));
  return new Set();
}

async function applyMissing(tx: Kysely<StoreSchema>, place: StorePlace): Promise<void> {
  if (place.dialect === 'postgres') await prepareSchema(tx, place.schema);
  const names = await tableNames(tx, place);
  // Asked by name first: on PostgreSQL a failed read would end the transaction. Read again, now under the lock.
  const recorded = names.has('fieldseal_migrations') ? await recordedVersion(tx) : 0;
  const originals = await originalTables(tx, names, recorded, place);
  for (const migration of MIGRATIONS.filter(({ version }) => version > recorded)) {
    const copies: OriginalCopy[] = [];
    for (const table of migration.creates) if (originals.has(table)) copies.push(await setAside(tx, place, table));
    for (const statement of migration.statements(place.dialect, (table) => qualify(table, place))) {
      await sql.raw(statement).execute(tx);
    }
    for (const copy of copies) await restoreRows(tx, place, copy);
    await tx.insertInto('fieldseal_migrations').values({ version: migration.version }).execute();
  }
}

/** Takes the lock that other starting processes wait for (SQLite's BEGIN IMMEDIATE is that lock already). */
async function prepareSchema(tx: Kysely<StoreSchema>, schema: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('fieldseal'), hashtext(${schema}))`.execute(tx);
  const { rows } = await sql`select 1 from pg_namespace where nspname = ${schema}`.execute(tx);
  // IF NOT EXISTS would want the right to create schemas even when this one is there.
  if (rows.length === 0) await sql`create schema ${sql.id(schema)}`.execute(tx);
}

/** The newest migration on record; 0 when there is none. */
async function recordedVersion(db: Kysely<StoreSchema>): Promise<number> {
  try {
    const row = await db
      .selectFrom('fieldseal_migrations')
      .select(({ fn }) => fn.max('version').as('version'))
      .executeTakeFirst();
    const version = row?.version ?? 0;
    if (version <= LATEST_VERSION) return version;
    throw new FieldsealError(
      'ERR_STORE_NEWER',
      `The tables of the store are of version ${version}, and this Fieldseal knows them up to ${LATEST_VERSION}; upgrade Fieldseal.`,
    );
  } catch (error) {
    if (isFieldsealError(error) && error.code === 'ERR_TABLE_NOT_FOUND') return 0;
    throw error;
  }
}

/** The names of tables and views in `place`. SQLite's are compared without case, as SQLite itself does. */
async function tableNames(db: Kysely<StoreSchema>, place: StorePlace): Promise<Set<string>> {
  const query =
    place.dialect === 'sqlite'
      ? sql<{ name: string }>`select lower(name) as name from sqlite_master where type in ('table', 'view')`
      : sql<{ name: string }>`select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = ${place.schema} and c.relkind in ('r', 'p', 'v', 'm', 'f')`;
  const { rows } = await query.execute(db);
  return new Set(rows.map((row) => row.name));
}

/** The tables that a missing migration would create and that are there: the Python original's, or the start stops. */
async function originalTables(
  db: Kysely<StoreSchema>,
  names: ReadonlySet<string>,
  recorded: number,
  place: StorePlace,
): Promise<Set<keyof StoreSchema>> {
  const missing = MIGRATIONS.filter(({ version }) => version > recorded).flatMap(({ creates }) => creates);
  const originals = new Set<keyof StoreSchema>();
  for (const table of missing.filter((name) => names.has(name))) {
    if (!(await isOriginal(db, place, table))) throw foreignTable(table, place);
    originals.add(table);
  }
  return originals;
}

function foreignTable(table: string, place: StorePlace): FieldsealError {
  const [where, mend] =
    place.dialect === 'sqlite'
      ? ['', 'rename that table']
      : [` in the schema ${place.schema}`, 'rename that table, or set DATABASE_SCHEMA to another schema'];
  return new FieldsealError(
    'ERR_STORE_FOREIGN_TABLE',
    `A table named ${table} exists already${where} and was not made by Fieldseal, which needs that name; ${mend}.`,
  );
}
