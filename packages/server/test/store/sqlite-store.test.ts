import { withSqliteStores } from './sqlite-stores.js';
import { storeContract } from './store-contract.js';

storeContract('SQLite', withSqliteStores({}));
storeContract('SQLite off the event loop', withSqliteStores({ offEventLoop: true }));
