/** Stores on a SQLite file of the test's own, in this thread or off the event loop. */
import Database from 'better-sqlite3';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { withSqliteFile } from './sqlite-file.js';
import type { WithStore } from './store-under-test.js';

export function withSqliteStores(options: { readonly offEventLoop?: boolean }): WithStore {
  return (work) =>
    withSqliteFile(async (file) => {
      const stores: Store[] = [];
      const open = async () => {
        const store = await openStore({ dialect: 'sqlite', file }, options);
        stores.push(store);
        return store;
      };
      const execute = async (sql: string) => {
        const database = new Database(file);
        try {
          const statement = database.prepare<[], Record<string, unknown>>(sql.replaceAll('{t}', ''));
          if (statement.reader) return statement.all();
          statement.run();
          return [];
        } finally {
          database.close();
        }
      };
      try {
        await work({ open, execute });
      } finally {
        for (const store of stores) await store.close();
      }
    });
}
