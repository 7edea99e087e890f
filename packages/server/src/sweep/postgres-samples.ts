/** A look at what a column holds, for `scan`. */
import type { Stored } from 'fieldseal';
import { type PostgresRelation, sqlName } from './postgres-catalogue.js';
import type { PostgresSession } from './postgres-session.js';
import { quoteName } from './sql-tokens.js';

/** From each end of a table. */
const SAMPLES = 500;
/** How many rows are looked at for them: a column may hold NULL nearly everywhere. */
const WINDOW_ROWS = 5_000;

/** Some of the column's texts or bytes: from the first rows in the order of the key and, of a larger table, from the last. */
export async function readPostgresSamples(
  session: PostgresSession,
  relation: PostgresRelation,
  key: readonly string[],
  column: string,
): Promise<Stored[]> {
  const window = (direction: 'ASC' | 'DESC') => {
    const order = key.length > 0 ? `ORDER BY ${key.map((name) => `t.${quoteName(name)} ${direction}`).join(', ')}` : '';
    return `SELECT t.tableoid::text || t.ctid::text AS place, t.${quoteName(column)}::text AS value, pg_typeof(t.${quoteName(column)}) = 'bytea'::regtype AS is_bytes FROM ${sqlName(relation)} AS t ${order} LIMIT ${WINDOW_ROWS}`;
  };
  // Without a key the second window begins where the first did, and adds nothing.
  const rows = await session.query(
    `WITH a AS MATERIALIZED (${window('ASC')}), z AS MATERIALIZED (${window('DESC')})
     (SELECT value, is_bytes FROM a WHERE value IS NOT NULL LIMIT ${SAMPLES}) UNION ALL
     (SELECT value, is_bytes FROM z WHERE value IS NOT NULL AND place NOT IN (SELECT place FROM a) LIMIT ${SAMPLES})`,
  );
  return rows.map(({ value, is_bytes: isBytes }) =>
    isBytes === true ? Buffer.from(String(value).slice(2), 'hex') : String(value),
  );
}
