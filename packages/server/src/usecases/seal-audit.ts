/** Seals the audit log: everything there is at once, or again and again beside a running service. */
import { isFieldsealError } from 'fieldseal';
import { Sealer } from '../audit/sealer.js';
import type { NoteSigner } from '../audit/signed-note.js';
import { openStore } from '../store/open-store.js';
import type { SealingLag, Store } from '../store/store.js';
import type { Dependencies } from './dependencies.js';

export type { NoteSigner };

/** How long a row waits for its seal, about, where a service runs: the window in which it can be changed unseen. */
const PASS_MS = 1_000;

/** Opens the store for writing; it must be there. */
export async function withWritableStore<T>(
  { target, schema }: Pick<Dependencies, 'target' | 'schema'>,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const store = await openStore(target, { schema, mustExist: true });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Seals every row that can be, and returns how many. @throws FieldsealError `ERR_AUDIT_TAMPERED` */
export async function sealAudit(store: Store, signer: NoteSigner | null): Promise<number> {
  return new Sealer(store, signer).pass();
}

/** How far sealing is behind, for metrics. */
export async function sealingLag(store: Store): Promise<SealingLag> {
  return store.auditTree.lag(await store.auditTree.progress());
}

/**
 * Seals once a second until `stop` is aborted, and once more then. A pass that fails is told, once while the reason stays the same, and tried
 * again.
 */
export async function keepSealing(
  store: Store,
  signer: NoteSigner | null,
  stop: AbortSignal,
  tell: (failure: { readonly code: string; readonly message: string }) => void,
): Promise<void> {
  const sealer = new Sealer(store, signer);
  let told = '';
  const pass = async () => {
    try {
      await sealer.pass(stop);
      told = '';
    } catch (error) {
      const code = isFieldsealError(error) ? error.code : 'ERR_INTERNAL';
      const message = isFieldsealError(error) ? error.message : 'The audit log could not be sealed.';
      if (told !== message) tell({ code, message });
      told = message;
    }
  };
  while (!stop.aborted) {
    await pass();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, PASS_MS);
      function done(): void {
        clearTimeout(timer);
        stop.removeEventListener('abort', done);
        resolve();
      }
      if (stop.aborted) done();
      else stop.addEventListener('abort', done, { once: true });
    });
  }
  // What was written since the last pass: at most one batch.
  await pass();
}
