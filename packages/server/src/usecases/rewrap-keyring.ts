/** `keyring rewrap`: the stored keyring under another root key, in two steps, so that no reader is locked out. */
import { FieldsealError, RootKey, type Secret } from 'fieldseal';
import type { StoreTransaction } from '../store/store.js';
import { assertNoRun, withKeyringStore } from './change-stored-keyring.js';
import type { Dependencies } from './dependencies.js';
import { forgetOverwritten } from './forget-overwritten.js';
import { keysToOpen } from './service.js';
import { changeKeyring, nextGeneration, openServiceKeyring, type ServiceKeyring } from './service-keyring.js';

export interface RewrapOptions {
  /** The new root key. */
  readonly to: Secret;
  /** False: both roots open the ring from now on. True: only the new one does. */
  readonly finalize: boolean;
}

/** Which roots open the ring now. */
export interface RewrappedKeyring {
  /** The fingerprint of the new root. */
  readonly root: string;
  /** The fingerprints of all roots that open it. */
  readonly roots: readonly string[];
  readonly generation: number;
}

async function audit(
  tx: StoreTransaction,
  action: 'keyring_rewrapped' | 'keyring_finalized',
  { ring }: ServiceKeyring,
  details: Readonly<Record<string, unknown>>,
): Promise<void> {
  await tx.audit.insert({
    action,
    resourceType: 'keyring',
    resourceId: ring.id,
    status: 'success',
    details: JSON.stringify(details),
  });
}

/**
 * Wraps the ring under a second root, or (finalize) drops every root but that. Asked for what is so already, it changes
 * nothing.
 * @throws FieldsealError `ERR_KEYRING_ROOT` when this process would be locked out; `ERR_ROOT_CHANGE_UNFINISHED` when the ring
 * is wrapped under a third root; `ERR_RUN_UNFINISHED`; `ERR_KEY_DUPLICATE` when the new root is the one in use
 */
export async function rewrapKeyring(deps: Dependencies, { to, finalize }: RewrapOptions): Promise<RewrappedKeyring> {
  return withKeyringStore(deps, async (store) => {
    const rewrapped = await store.exclusiveTransaction(async (tx): Promise<RewrappedKeyring> => {
      await assertNoRun(tx);
      // Not null: the ring was opened with it a moment ago.
      const own = keysToOpen(deps.keys).roots[0] as Secret;
      const given = { current: deps.keys.current, previous: [], roots: own.equals(to) ? [to] : [own, to] };
      const keyring = await openServiceKeyring({ ...store, ...tx }, given, false);
      const { ring, roots } = keyring;
      const fingerprint = new RootKey(to).fingerprint;
      const before = Object.keys((await tx.keyring.load())?.macs ?? {});
      const isDone = finalize ? before.length === 1 && before[0] === fingerprint : roots.length === 2;
      if (isDone) return { root: fingerprint, roots: before, generation: ring.generation };
      if (!finalize) {
        if (own.equals(to)) {
          throw new FieldsealError(
            'ERR_KEY_DUPLICATE',
            'That is the root key that this process has already; give a new one.',
          );
        }
        const both = [new RootKey(own), new RootKey(to)];
        const changed = await changeKeyring(tx, keyring, nextGeneration(ring), both);
        await audit(tx, 'keyring_rewrapped', keyring, { root: fingerprint, also: both[0]?.fingerprint });
        return { root: fingerprint, roots: both.map((root) => root.fingerprint), generation: changed.ring.generation };
      }
      if (!before.includes(fingerprint)) {
        throw new FieldsealError(
          'ERR_KEYRING_ROOT',
          'That root does not open the keyring yet; run this without --finalize first.',
        );
      }
      if (!own.equals(to)) {
        throw new FieldsealError(
          'ERR_KEYRING_ROOT',
          'This process still has the old root key; set ROOT_KEY to the new one here and everywhere else, and finalize then.',
        );
      }
      // The other roots are dropped on purpose.
      const changed = await changeKeyring(tx, { ...keyring, hasOtherRoots: false }, nextGeneration(ring));
      const dropped = before.filter((other) => other !== fingerprint);
      await audit(tx, 'keyring_finalized', keyring, { root: fingerprint, dropped });
      return { root: fingerprint, roots: [fingerprint], generation: changed.ring.generation };
    });
    if (finalize) await forgetOverwritten(deps, store);
    return rewrapped;
  });
}
