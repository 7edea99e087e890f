/** The service's own tables: which they are, and the encrypted column among them that sweeps include undeclared. */
import type Database from 'better-sqlite3';
import { encryptedString, Field } from 'fieldseal';
import type { StoreSchema } from '../store/schema.js';
import type { RunKind } from '../store/store.js';
import { sqlName } from './postgres-catalogue.js';
import type { PostgresQuery } from './postgres-session.js';
import type { PostgresSweptTable, SweptTable } from './swept-table.js';

const OWN_TABLES: Readonly<Record<keyof StoreSchema | 'api_keys', true>> = {
  api_key_usage: true,
  api_keys: true,
  audit_checkpoints: true,
  audit_epochs: true,
  audit_leaves: true,
  audit_log_values: true,
  audit_logs: true,
  audit_prunes: true,
  audit_streams: true,
  audit_tree_nodes: true,
  encryption_key_rotations: true,
  encryption_keys: true,
  fieldseal_idempotency_keys: true,
  fieldseal_migrations: true,
  fieldseal_revisions: true,
  keyring_readers: true,
  keyring_state: true,
  subject_keys: true,
  subject_state: true,
  sweep_failures: true,
  sweep_ranges: true,
  sweep_schedules: true,
};

/** Where the copies of issued API keys are. They are tokens from the first moment on: plaintext is never read there. */
const TABLE = 'api_keys';
const KEY = 'id';
const COLUMN = 'encrypted_key';

/** Whether the service has a table of that name (on PostgreSQL: in its schema). */
export function isOwnTable(name: string): boolean {
  return Object.hasOwn(OWN_TABLES, name.toLowerCase());
}

/** The service's own swept column, as reports name it; `schema` is null on SQLite. */
export function ownColumn(schema: string | null): { readonly table: string; readonly column: string } {
  return { table: schema === null ? TABLE : `${schema}.${TABLE}`, column: COLUMN };
}

/** Which kinds of run include the service's own columns: encrypting and decrypting is for an application's columns. */
export function sweepsOwnTables(kind: RunKind): boolean {
  return kind === 'rotate' || kind === 'verify';
}

function ownTable(name: string): SweptTable {
  const fields = [new Field(name, COLUMN, encryptedString())];
  return { name, keyColumns: [KEY], rowidName: null, fields, isOwn: true };
}

/** The service's own swept tables in a SQLite file; none while it has no API keys yet. */
export function sqliteOwnTables(db: Database.Database): SweptTable[] {
  const names = db.prepare('SELECT name FROM pragma_table_info(?)').pluck().all(TABLE);
  return names.includes(KEY) && names.includes(COLUMN) ? [ownTable(TABLE)] : [];
}

/** The service's own swept tables in its schema on PostgreSQL; none while it has no API keys yet. */
export async function postgresOwnTables(query: PostgresQuery, schema: string): Promise<PostgresSweptTable[]> {
  const rows = await query(
    `SELECT a.attname AS name, format_type(a.atttypid, -1) AS type FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
       JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r' AND a.attname IN ($3, $4)`,
    [schema, TABLE, KEY, COLUMN],
  );
  const key = rows.find(({ name }) => name === KEY);
  if (!key || rows.length !== 2) return [];
  const swept = ownTable(ownColumn(schema).table);
  const keys = [{ column: KEY, castType: String(key['type']), isInteger: true }];
  return [{ ...swept, sqlName: sqlName({ schema, table: TABLE }), keys }];
}
