/** Kysely over better-sqlite3 in a thread of its own: the dialect of a service whose event loop must not wait. */
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { OpenSqliteOptions } from './open-sqlite.js';
import { SqliteThread } from './sqlite-thread.js';

/**
 * The dialect for a file, which is opened with the first query. It waits for locks in SQLite's own way, which blocks only
 * its thread. When the thread breaks down, what it was doing fails; the next query or transaction gets a new one.
 */
export function sqliteWorkerDialect(file: string, options: OpenSqliteOptions = {}): Dialect {
  return {
    createDriver: () => new WorkerDriver(file, options),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

/** One connection, lent to one query or transaction at a time. */
class WorkerDriver implements Driver {
  readonly #file: string;
  readonly #options: OpenSqliteOptions;
  readonly #waiting: (() => void)[] = [];
  #lent = false;
  #thread: SqliteThread | null = null;

  constructor(file: string, options: OpenSqliteOptions) {
    this.#file = file;
    this.#options = options;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#lent) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#lent = true;
    try {
      // Only here: a transaction whose thread broke down must fail to its end, not go on in another one without its start.
      if (this.#thread === null || this.#thread.ended) {
        this.#thread = await SqliteThread.start(this.#file, this.#options);
      }
      return new WorkerConnection(this.#thread);
    } catch (error) {
      await this.releaseConnection();
      throw error;
    }
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'));
  }

  async releaseConnection(): Promise<void> {
    // Handed straight to the one that waits longest: it stays lent.
    const next = this.#waiting.shift();
    if (next) next();
    else this.#lent = false;
  }

  async destroy(): Promise<void> {
    await this.#thread?.close();
  }
}

class WorkerConnection implements DatabaseConnection {
  readonly #thread: SqliteThread;

  constructor(thread: SqliteThread) {
    this.#thread = thread;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes, lastInsertRowid } = await this.#thread.run(sql, parameters);
    if (changes === undefined || lastInsertRowid === undefined) return { rows: rows as R[] };
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  /** All rows come over at once, and are then handed out singly, as Kysely's own dialect does. */
  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    const { rows } = await this.executeQuery<R>(query);
    for (const row of rows) yield { rows: [row] };
  }
}
