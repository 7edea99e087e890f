/** Opens what a sweep needs: the declared tables, checked against the database, and the store beside them. */
import { type FieldsealConfig, FieldsealError } from 'fieldseal';
import { openSqlite } from '../store/open-sqlite.js';
import { openStore } from '../store/open-store.js';
import type { Store } from '../store/store.js';
import { sqlitePreflight } from '../sweep/sqlite-preflight.js';
import { SqliteSweepDatabase } from '../sweep/sqlite-sweep-database.js';
import type { SweepDatabase } from '../sweep/sweep-database.js';
import type { SweptTable } from '../sweep/swept-table.js';
import type { Dependencies } from './dependencies.js';

/** Closed by whoever opened it. */
export interface OpenTables {
  readonly config: FieldsealConfig;
  readonly tables: readonly SweptTable[];
  readonly database: SweepDatabase;
  readonly store: Store;
  close(): Promise<void>;
}

/**
 * The declaration is checked before the store is opened, so that a wrong one leaves no trace in the database.
 * @throws FieldsealError of the configuration, the preflight and the store
 */
export async function openTables(
  { target, schema, loadConfig, notify }: Dependencies,
  { readOnly, allowTriggers }: { readonly readOnly: boolean; readonly allowTriggers: boolean },
): Promise<OpenTables> {
  const config = await loadConfig();
  if (target.dialect !== 'sqlite') {
    throw new FieldsealError(
      'ERR_DATABASE_URL',
      'Sweeps run on SQLite so far; DATABASE_URL names a PostgreSQL database.',
    );
  }
  const file = openSqlite(target.file, { mustExist: true, readOnly });
  const database = new SqliteSweepDatabase(file);
  try {
    const { tables, triggers } = database.guarded(() => sqlitePreflight(file, config.model, allowTriggers));
    for (const trigger of triggers)
      notify({ type: 'warning', text: `allowed to run on every update: the trigger ${trigger}` });
    const store = await openStore(target, { schema, mustExist: true, readOnly });
    return {
      config,
      tables,
      database,
      store,
      async close() {
        database.close();
        await store.close();
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
}
