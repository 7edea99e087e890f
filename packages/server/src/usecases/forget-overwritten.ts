/** After wraps of a key were overwritten: their old bytes leave the write-ahead log as well. */
import type { Store } from '../store/store.js';
import type { Dependencies } from './dependencies.js';

/** Warns when they cannot: the change itself is done. */
export async function forgetOverwritten({ notify }: Dependencies, store: Store): Promise<void> {
  if (await store.truncateLog().catch(() => false)) return;
  notify({
    type: 'warning',
    text: 'another process uses the database, and its -wal file may still hold what was just forgotten; run `PRAGMA wal_checkpoint(TRUNCATE)` once it is idle',
  });
}
