/** Kysely over pg, with values and sessions as the store wants them. */
import { type Dialect, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { PoolSettings } from './database-url.js';

const CONNECT_TIMEOUT_MS = 10_000;
const { INT8, TIMESTAMPTZ } = pg.types.builtins;

/** The dialect for a connection string. With `readOnly` every transaction refuses to write. */
export function postgresDialect(
  connectionString: string,
  readOnly: boolean,
  { size, recycleSeconds }: PoolSettings = {},
): Dialect {
  const pool = new pg.Pool({
    ...(size !== undefined && { max: size }),
    ...(recycleSeconds !== undefined && { maxLifetimeSeconds: recycleSeconds }),
    connectionString,
    application_name: 'fieldseal',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    types: { getTypeParser },
    // By the pool, which drops a connection that is lost here. Kysely's own hook would keep it for ever, and the pool could not end.
    verify: (client: pg.PoolClient, done: (error?: Error) => void) => {
      prepareSession(client, readOnly).then(() => done(), done);
    },
  } as pg.PoolConfig);
  // A connection that the server cuts, idle or in use, is replaced by the pool, and whoever used it learns it from its
  // query. Unheard, these events would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new PostgresDialect({ pool });
}

/** A timestamptz as a session in UTC gives it; parsing each into a Date takes ten times as long as moving its parts. */
const UTC_TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+00$/;

function utcTime(text: string): string {
  const milliseconds = text.slice(20, -3).padEnd(3, '0').slice(0, 3);
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${milliseconds}Z`;
}

/** int8 as a number (ours stay below 2^53) and timestamptz as RFC 3339 in UTC; the rest as pg does it. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  if (oid === INT8) return Number;
  const parse = format === 'binary' ? pg.types.getTypeParser(oid, format) : pg.types.getTypeParser(oid);
  if (oid === TIMESTAMPTZ) return (text) => (UTC_TIME.test(text) ? utcTime(text) : (parse(text) as Date).toISOString());
  return parse;
}

/** A key must be on the disk before a value uses it, whatever the server's defaults are. */
async function prepareSession(client: pg.PoolClient, readOnly: boolean): Promise<void> {
  await client.query(
    `select
      set_config('default_transaction_isolation', 'read committed', false),
      set_config('default_transaction_read_only', '${readOnly ? 'on' : 'off'}', false),
      set_config('synchronous_commit', case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end, false)`,
  );
}
