/** Stores on a SQLite file of the test's own, in this thread or off the event loop. */
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { executeOn, withSqliteFile } from './sqlite-file.js';
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
      try {
        await work({ open, execute: (sql) => executeOn(file, sql) });
      } finally {
        for (const store of stores) await store.close();
      }
    });
}
