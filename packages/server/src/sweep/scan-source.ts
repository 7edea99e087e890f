/** What `scan` asks of a database: its tables, and some of the texts in a column. */
import type Database from 'better-sqlite3';
import type { Stored } from 'fieldseal';
import { databaseError } from '../store/database-error.js';
import { isOwnTable } from './own-tables.js';
import {
  declaredName,
  findRelation,
  type PostgresRelation,
  readKeys,
  readPostgresColumns,
  readRelations,
} from './postgres-catalogue.js';
import { readPostgresSamples } from './postgres-samples.js';
import type { PostgresSession } from './postgres-session.js';
import { sameName } from './sql-tokens.js';
import { type CatalogueTable, readTables } from './sqlite-catalogue.js';
import { readSamples } from './sqlite-samples.js';

/** A table by the name that a declaration gives it. */
export interface ScannedTable {
  readonly name: string;
  /** Those that may hold tokens: text and bytes. */
  readonly columns: readonly string[];
  readonly allColumns: readonly string[];
  /** Empty: it has none. */
  readonly key: readonly string[];
}

export interface ScanSource {
  /** An application's tables, without the service's own. */
  tables(): Promise<ScannedTable[]>;
  /** Which of `tables` a declared name means. */
  find(tables: readonly ScannedTable[], declared: string): Promise<ScannedTable | null>;
  isSameColumn(a: string, b: string): boolean;
  samples(table: ScannedTable, column: string): Promise<Stored[]>;
}

/** Over an open file. `name` is what messages call it. */
export function sqliteScanSource(db: Database.Database, name: string): ScanSource {
  const known = new Map<ScannedTable, CatalogueTable>();
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw databaseError(error, name);
    }
  };
  return {
    async tables() {
      for (const table of guarded(() => readTables(db))) {
        if (isOwnTable(table.name)) continue;
        const key = table.columns.filter(({ keyPlace }) => keyPlace > 0).sort((a, b) => a.keyPlace - b.keyPlace);
        const columns = table.columns.map((column) => column.name);
        known.set({ name: table.name, columns, allColumns: columns, key: key.map((column) => column.name) }, table);
      }
      return [...known.keys()];
    },
    find: async (tables, declared) => tables.find((table) => sameName(table.name, declared)) ?? null,
    isSameColumn: sameName,
    samples: async (table, column) => guarded(() => readSamples(db, known.get(table) as CatalogueTable, column)),
  };
}

/** Types that hold text, or tokens as bytes; of some a sweep then says what has to be done first. */
const TEXT_TYPE = /^(text|character varying|bpchar|character|bytea|(.*\.)?citext)$/;

/** Over an open session. */
export function postgresScanSource(session: PostgresSession, serviceSchema: string): ScanSource {
  const query = session.query.bind(session);
  const known = new Map<ScannedTable, PostgresRelation>();
  return {
    async tables() {
      for (const relation of await readRelations(query)) {
        if (relation.schema === serviceSchema && isOwnTable(relation.table)) continue;
        const all = await readPostgresColumns(query, relation.oid);
        const columns = all.filter(({ castType }) => TEXT_TYPE.test(castType)).map((column) => column.name);
        const [key] = await readKeys(query, relation.oid);
        const allColumns = all.map((column) => column.name);
        known.set({ name: declaredName(relation), columns, allColumns, key: key?.columns ?? [] }, relation);
      }
      return [...known.keys()];
    },
    async find(tables, declared) {
      const relation = await findRelation(query, declared, serviceSchema);
      return tables.find((table) => known.get(table)?.oid === relation?.oid) ?? null;
    },
    isSameColumn: (a, b) => a === b,
    samples: (table, column) => readPostgresSamples(session, known.get(table) as PostgresRelation, table.key, column),
  };
}
