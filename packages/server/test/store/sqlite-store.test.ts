import Database from 'better-sqlite3';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { withSqliteFile } from './sqlite-file.js';
import { storeContract } from './store-contract.js';

storeContract('SQLite', (work) =>
  withSqliteFile(async (file) => {
    const stores: Store[] = [];
    const open = async () => {
      const store = await openStore({ dialect: 'sqlite', file });
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
  }),
);
