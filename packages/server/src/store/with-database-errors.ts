/** Wraps a Kysely dialect so that everything its driver throws is a FieldsealError. */
import { isFieldsealError } from 'fieldseal';
import type { CompiledQuery, DatabaseConnection, Dialect, Driver, QueryResult, TransactionSettings } from 'kysely';
import { databaseError } from './database-error.js';

export interface DatabaseErrorOptions {
  /** What messages call the database. */
  readonly name: string;
  /** Whether a SELECT from a table that isn't there has no rows instead of failing: for stores that make no tables. */
  readonly absentTablesAreEmpty: boolean;
}

export function withDatabaseErrors(dialect: Dialect, options: DatabaseErrorOptions): Dialect {
  return {
    createDriver: () => new CheckedDriver(dialect.createDriver(), options),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  };
}

class CheckedDriver implements Driver {
  readonly #inner: Driver;
  readonly #options: DatabaseErrorOptions;

  constructor(inner: Driver, options: DatabaseErrorOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  init(): Promise<void> {
    return checked(this.#options.name, () => this.#inner.init());
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await checked(this.#options.name, () => this.#inner.acquireConnection());
    return new CheckedConnection(connection, this.#options);
  }

  beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    return checked(this.#options.name, () => this.#inner.beginTransaction(innerOf(connection), settings));
  }

  commitTransaction(connection: DatabaseConnection): Promise<void> {
    return checked(this.#options.name, () => this.#inner.commitTransaction(innerOf(connection)));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // A rollback fails when the connection is gone or SQLite has rolled back by itself (a full disk): either way
    // nothing is left to undo, and what the caller must see is the error that came first.
    await this.#inner.rollbackTransaction(innerOf(connection)).catch(() => undefined);
  }

  releaseConnection(connection: DatabaseConnection): Promise<void> {
    return this.#inner.releaseConnection(innerOf(connection));
  }

  destroy(): Promise<void> {
    return this.#inner.destroy();
  }
}

class CheckedConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection;
  readonly #options: DatabaseErrorOptions;

  constructor(inner: DatabaseConnection, options: DatabaseErrorOptions) {
    this.inner = inner;
    this.#options = options;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    try {
      return await checked(this.#options.name, () => this.inner.executeQuery<R>(query));
    } catch (error) {
      const absent = isFieldsealError(error) && error.code === 'ERR_TABLE_NOT_FOUND';
      if (absent && this.#options.absentTablesAreEmpty && query.query.kind === 'SelectQueryNode') return { rows: [] };
      throw error;
    }
  }

  streamQuery<R>(query: CompiledQuery, chunkSize?: number): AsyncIterableIterator<QueryResult<R>> {
    return this.inner.streamQuery<R>(query, chunkSize);
  }
}

/** Kysely gives a driver back the connections that it acquired from it. */
function innerOf(connection: DatabaseConnection): DatabaseConnection {
  return (connection as CheckedConnection).inner;
}

async function checked<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw databaseError(error, name);
  }
}
