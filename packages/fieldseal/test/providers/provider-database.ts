/** A database under a provider. */
import type { QueryFunction } from '../../src/providers/database.js';
import { withSqlite } from '../with-sqlite.js';

/** A database with a provider's tables in it, all empty. */
export interface ProviderDatabase {
  readonly dialect: 'sqlite' | 'postgres';
  readonly query: QueryFunction;
  /** PostgreSQL: where the tables are. */
  readonly schema?: string;
}

/** What a contract does with each database. */
export type Work = (database: ProviderDatabase) => Promise<void>;

/** Opens SQLite databases with these tables. */
export function sqliteWith(tables: string): (work: Work) => Promise<void> {
  return (work) =>
    withSqlite((database) => {
      database.exec(tables);
      return work({
        dialect: 'sqlite',
        query: (sql, params) => database.prepare(sql).all(...params) as Record<string, unknown>[],
      });
    });
}
