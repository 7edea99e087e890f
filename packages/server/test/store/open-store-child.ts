/** A process of its own that opens a store and writes one row; argv holds the arguments of `openStore` as JSON. */
import { openStore } from '../../src/store/open-store.js';

const [target, options] = JSON.parse(process.argv[2] ?? '[]');
const store = await openStore(target, options);
await store.audit.insert({ action: 'started', resourceType: 'process', status: 'success' });
await store.close();
