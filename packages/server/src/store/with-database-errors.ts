/** Wraps a Kysely dialect so that everything its driver throws is a FieldsealError. */
import { isFieldsealError } from 'fieldseal';
import {
  AliasNode,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SelectQueryNode,
  TableNode,
  type TransactionSettings,
} from 'kysely';
import { databaseError } from './database-error.js';

export interface DatabaseErrorOptions {
  /** What messages call the database. */
  readonly name: string;
  /** Whether a SELECT from a table that isn't there has no rows instead of failing: for stores that make no tables. */
  readonly absentTablesAreEmpty: boolean;
  /** Tables from which a SELECT has no rows, whatever is in them. Looked at with every query, so it may grow. */
  readonly emptyTables?: ReadonlySet<string>;
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
    const { name, absentTablesAreEmpty, emptyTables } = this.#options;
    if (emptyTables && selectedTables(query).some((table) => emptyTables.has(table))) return { rows: [] };
    try {
      return await checked(name, () => this.inner.executeQuery<R>(query));
    } catch (error) {
      const absent = isFieldsealError(error) && error.code === 'ERR_TABLE_NOT_FOUND';
      if (absent && absentTablesAreEmpty && SelectQueryNode.is(query.query)) return { rows: [] };
      throw error;
    }
  }

  streamQuery<R>(query: CompiledQuery, chunkSize?: number): AsyncIterableIterator<QueryResult<R>> {
    return this.inner.streamQuery<R>(query, chunkSize);
  }
}

/** The tables after FROM, when the query is a SELECT of the query builder's. */
function selectedTables({ query }: CompiledQuery): string[] {
  if (!SelectQueryNode.is(query)) return [];
  return (query.from?.froms ?? []).flatMap((from) => {
    const table = AliasNode.is(from) ? from.node : from;
    return TableNode.is(table) ? [table.table.identifier.name] : [];
  });
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
