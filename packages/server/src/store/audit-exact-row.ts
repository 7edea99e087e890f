/** Reads rows of the audit log exactly as they are stored, for hashing. */
import { type RawBuilder, sql } from 'kysely';
import type { ExactRow } from './audit-tree.js';
import type { StoreSchema } from './schema.js';
import type { Dialect } from './store.js';

/**
 * The columns that a leaf holds: all of the table's but PostgreSQL's number of the transaction, which says nothing about
 * what happened. A column that the schema gains and that is not here does not compile.
 */
const LEAF_COLUMNS: Readonly<Record<keyof StoreSchema['audit_logs'], true>> = {
  id: true,
  user_id: true,
  action: true,
  resource_type: true,
  resource_id: true,
  ip_address: true,
  status: true,
  timestamp: true,
  details: true,
  request_id: true,
  user_agent: true,
};

/** A query's columns of an exact row: each under `row_` and its name. */
export type ExactColumns = Readonly<Record<`row_${keyof StoreSchema['audit_logs']}`, string | Uint8Array | null>>;

/** What to select from `audit_logs a`. */
export function exactColumns(dialect: Dialect): { readonly sql: RawBuilder<unknown> } {
  const columns = Object.keys(LEAF_COLUMNS).map((name) => {
    const alias = sql.id(`row_${name}`);
    if (name === 'id') return sql`cast(a.id as text) as ${alias}`;
    // A Date would lose the microseconds. Years before 1 and infinity are nobody's but a forger's, and must differ as well.
    if (name === 'timestamp' && dialect === 'postgres') {
      return sql`case when isfinite(a.timestamp) and a.timestamp >= '0001-01-01T00:00:00Z'
        then to_char(a.timestamp at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') else cast(a.timestamp as text) end as ${alias}`;
    }
    return sql`a.${sql.id(name)} as ${alias}`;
  });
  return { sql: sql.join(columns) };
}

/** Null: the row is gone. */
export function toExactRow(columns: ExactColumns): ExactRow | null {
  if (columns.row_id === null) return null;
  // A leaf's `row_hash` stands beside them.
  const names = Object.keys(LEAF_COLUMNS) as (keyof typeof LEAF_COLUMNS)[];
  return Object.fromEntries(names.map((name) => [name, columns[`row_${name}`]]));
}
