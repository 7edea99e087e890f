/** Kysely over better-sqlite3: transactions take the write lock when they begin, and waiting for it blocks nothing. */
import type Database from 'better-sqlite3';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type QueryResult,
  SqliteDialect,
  SqliteDriver,
} from 'kysely';

const BUSY_TIMEOUT_MS = 5_000;
const BUSY_POLL_MS = 10;

/** The dialect for a file opened with `busyTimeoutMs: 0`. Kysely closes the file when it is destroyed. */
export function sqliteDialect(database: Database.Database): Dialect {
  return new ImmediateDialect(database);
}

class ImmediateDialect extends SqliteDialect {
  readonly #database: Database.Database;

  constructor(database: Database.Database) {
    super({ database });
    this.#database = database;
  }

  override createDriver(): SqliteDriver {
    return new ImmediateDriver({ database: this.#database });
  }
}

class ImmediateDriver extends SqliteDriver {
  override async acquireConnection(): Promise<DatabaseConnection> {
    return new WaitingConnection(await super.acquireConnection());
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    // A deferred transaction that turns from reading to writing fails at once, without waiting, when another wrote.
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
}

/**
 * Tries a statement again for 5 seconds while another connection holds the lock. SQLite's own waiting would stop the
 * event loop, and for ever starve a transaction of this same process that holds the lock across an `await`.
 */
class WaitingConnection implements DatabaseConnection {
  readonly #inner: DatabaseConnection;

  constructor(inner: DatabaseConnection) {
    this.#inner = inner;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const deadline = performance.now() + BUSY_TIMEOUT_MS;
    for (;;) {
      try {
        return await this.#inner.executeQuery<R>(query);
      } catch (error) {
        if (!isBusy(error) || performance.now() > deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, BUSY_POLL_MS));
    }
  }

  streamQuery<R>(query: CompiledQuery, chunkSize?: number): AsyncIterableIterator<QueryResult<R>> {
    return this.#inner.streamQuery<R>(query, chunkSize);
  }
}

function isBusy(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('SQLITE_BUSY')
  );
}
