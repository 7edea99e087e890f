/** One connection for a sweep: its settings, its patience with locks, and a new connection when the old one is lost. */
import { setTimeout } from 'node:timers/promises';
import { FieldsealError, isFieldsealError } from 'fieldseal';
import pg from 'pg';
import { databaseError } from '../store/database-error.js';

/** A row by its column names. Everything but int2 and int4, booleans and NULL comes as text. */
export type PostgresRow = Record<string, unknown>;

/** Runs one statement. @throws FieldsealError of `databaseError`, `ConnectionLost` */
export type PostgresQuery = (sql: string, parameters?: readonly unknown[]) => Promise<PostgresRow[]>;

/** The connection is gone; what it was doing may or may not have been done. */
export class ConnectionLost extends Error {
  /** What to tell when there is no other connection to be had. */
  readonly told: unknown;

  constructor(told: unknown) {
    super('the connection to the database is lost');
    this.told = told;
  }
}

export interface PostgresSessionOptions {
  readonly connectionString: string;
  /** What messages call the database. */
  readonly name: string;
  readonly readOnly: boolean;
  /** Whether a standby will not do: it is behind, and would answer as if rows were not there. */
  readonly needsPrimary?: boolean;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** How long a server may take to come back. */
const RECONNECT_MS = 30_000;
/** How long a statement that meets a lock is tried again. */
export const BUSY_MS = 5_000;
const FIRST_WAIT_MS = 10;
const LONGEST_WAIT_MS = 500;

/**
 * SWEEPS.md §2, and the forms that keys travel in: each of them reads back as the very value it was. The plan is the one
 * over the key's index, whatever the statistics say.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  row_security: 'off',
  lock_timeout: '50ms',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '5s',
  default_transaction_isolation: 'read committed',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '3',
  lc_monetary: 'C',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
};

/** Over one dedicated connection at a time. */
export class PostgresSession {
  readonly #options: PostgresSessionOptions;
  #client: pg.Client | null = null;
  #connections = 0;

  private constructor(options: PostgresSessionOptions) {
    this.#options = options;
  }

  /** @throws FieldsealError of `databaseError`, at once when there is no connection to be had */
  static async open(options: PostgresSessionOptions): Promise<PostgresSession> {
    const session = new PostgresSession(options);
    await session.#connect();
    return session;
  }

  /** Which connection it is, counted from 1; it moves when a lost one is made again. */
  get connection(): number {
    return this.#connections;
  }

  /** Runs one statement that may as well run twice, again after a lock or a lost connection. */
  async query(sql: string, parameters: readonly unknown[] = []): Promise<PostgresRow[]> {
    return this.#again(async () => this.#run(await this.#connected(), sql, parameters));
  }

  /**
   * Runs one statement once, which is a transaction of its own.
   * @param refusals SQLSTATEs of errors after which it changed nothing, and the answer is null
   * @param connection the one that it is for: on another it is not run, and the answer is null; null: any
   * @throws ConnectionLost also when it may have taken place
   */
  async once(
    sql: string,
    parameters: readonly unknown[],
    refusals: readonly string[],
    connection: number | null,
  ): Promise<PostgresRow[] | null> {
    const client = await this.#connected();
    if (connection !== null && connection !== this.#connections) return null;
    return this.#run(client, sql, parameters, refusals);
  }

  /** Runs a statement that may take any time, such as a look at every row. */
  async queryAtLength(sql: string, parameters: readonly unknown[] = []): Promise<PostgresRow[]> {
    return this.#again(() =>
      this.transaction(async (query) => {
        await query('SET LOCAL statement_timeout = 0');
        return query(sql, parameters);
      }),
    );
  }

  /**
   * Runs `work` in one transaction, once.
   * @throws ConnectionLost also when it is lost during the COMMIT, which may have taken place then
   */
  async transaction<T>(work: (query: PostgresQuery) => Promise<T>): Promise<T> {
    const client = await this.#connected();
    const query: PostgresQuery = (sql, parameters = []) => this.#run(client, sql, parameters);
    try {
      await query('BEGIN');
      const result = await work(query);
      await query('COMMIT');
      return result;
    } catch (error) {
      if (this.#client === client) await query('ROLLBACK').catch(() => this.#drop(client));
      throw error;
    }
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }

  /** Tries `work` again while it meets locks, for 5 seconds, and while the connection can be had again. */
  async #again<T>(work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = longerWait(waitMs)) {
      try {
        return await work();
      } catch (error) {
        const elapsedMs = performance.now() - startedMs;
        if (error instanceof ConnectionLost) {
          if (elapsedMs > RECONNECT_MS) throw error.told;
        } else if (!isBusy(error) || elapsedMs > BUSY_MS) throw error;
        await setTimeout(waitMs);
      }
    }
  }

  /** The connection, or a new one within half a minute after the old one is lost. */
  async #connected(): Promise<pg.Client> {
    const startedMs = performance.now();
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = longerWait(waitMs)) {
      if (this.#client) return this.#client;
      try {
        return await this.#connect();
      } catch (error) {
        if (performance.now() - startedMs > RECONNECT_MS) throw error;
        await setTimeout(waitMs);
      }
    }
  }

  async #connect(): Promise<pg.Client> {
    const { connectionString, name, readOnly, needsPrimary = false } = this.#options;
    const client = new pg.Client({
      connectionString,
      application_name: 'fieldseal sweep',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
    });
    // Unheard, the event would end the process; whoever is waiting learns it from the query.
    client.on('error', () => this.#drop(client));
    client.on('end', () => this.#drop(client));
    try {
      await client.connect();
      const names = Object.keys(SETTINGS);
      await client.query(
        `SELECT ${names.map((_, i) => `set_config($${2 * i + 1}, $${2 * i + 2}, false)`).join(', ')},
           set_config('default_transaction_read_only', '${readOnly ? 'on' : 'off'}', false),
           set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)`,
        Object.entries(SETTINGS).flat(),
      );
      if (needsPrimary) await assertPrimary(client, name);
    } catch (error) {
      client.end().catch(() => undefined);
      throw databaseError(error, name);
    }
    this.#client = client;
    this.#connections++;
    return client;
  }

  #drop(client: pg.Client): void {
    if (this.#client !== client) return;
    this.#client = null;
    client.end().catch(() => undefined);
  }

  async #run(client: pg.Client, sql: string, parameters: readonly unknown[]): Promise<PostgresRow[]>;
  async #run(
    client: pg.Client,
    sql: string,
    parameters: readonly unknown[],
    refusals: readonly string[],
  ): Promise<PostgresRow[] | null>;
  async #run(client: pg.Client, sql: string, parameters: readonly unknown[], refusals: readonly string[] = []) {
    try {
      return (await client.query<PostgresRow>(sql, [...parameters])).rows;
    } catch (error) {
      if (error instanceof pg.DatabaseError && refusals.includes(error.code ?? '')) return null;
      const told = databaseError(error, this.#options.name);
      if (!isConnectionLost(error)) throw told;
      this.#drop(client);
      throw new ConnectionLost(told);
    }
  }
}

/** @throws FieldsealError `ERR_DATABASE_READ_ONLY` for a standby */
async function assertPrimary(client: pg.Client, name: string): Promise<void> {
  const { rows } = await client.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby');
  if (rows[0]?.standby !== true) return;
  throw new FieldsealError('ERR_DATABASE_READ_ONLY', `${name} is a standby; a sweep reads where it writes.`);
}

/** Whether another transaction was in the way, so that the same may succeed later. */
export function isBusy(error: unknown): boolean {
  return isFieldsealError(error) && error.code === 'ERR_DATABASE_BUSY';
}

/** Twice as long, up to half a second. */
export function longerWait(waitMs: number): number {
  return Math.min(2 * waitMs, LONGEST_WAIT_MS);
}

/** FATAL and PANIC end a session; what has no severity comes from the connection and not from the server. */
function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof TypeError || error instanceof RangeError) return false;
  if (!('severity' in error) || error.severity === undefined) return true;
  return error.severity === 'FATAL' || error.severity === 'PANIC';
}
