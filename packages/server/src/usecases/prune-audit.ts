/** `audit prune`: takes old rows out of the audit log, whose leaves stay, so that the tree can still be verified. */
import { FieldsealError } from 'fieldseal';
import { PRUNE_ACTION, signPrune } from '../audit/prune-note.js';
import { Sealer } from '../audit/sealer.js';
import type { NoteSigner } from '../audit/signed-note.js';
import type { Store } from '../store/store.js';
import { auditRow, OPERATOR_ACTOR } from './service.js';

const BATCH_ROWS = 1000;
/** How often sealing is tried, while a transaction under way holds it up. */
const TRIES = 150;
const TRY_MS = 200;

export interface PruneResult {
  /** Rows up to this id are gone; null: none was old enough. */
  readonly upToId: number | null;
  readonly pruned: number;
}

/**
 * Deletes sealed rows that are older than so many seconds, from the oldest on and up to the first that is younger. A row
 * that says so is sealed and signed before anything is deleted: only what such a row names may be missing afterwards.
 * @throws FieldsealError `ERR_KEY_MISSING` without a signing key; `ERR_UNAVAILABLE` when that row could not be sealed, and
 * `ERR_AUDIT_TAMPERED`
 */
export async function pruneAudit(
  store: Store,
  signer: NoteSigner | null,
  olderThanSeconds: number,
): Promise<PruneResult> {
  if (!signer) {
    throw new FieldsealError(
      'ERR_KEY_MISSING',
      'Pruning is signed, so that nobody else can delete rows and call it that; set AUDIT_SIGNING_KEY_FILE.',
    );
  }
  const sealer = new Sealer(store, signer);
  await sealer.pass();
  const upToId = await store.auditTree.prunableUpTo(await store.auditTree.progress(), olderThanSeconds);
  const count = upToId === null ? 0 : await store.auditTree.countUpTo(upToId);
  if (upToId === null || count === 0) return { upToId: null, pruned: 0 };
  const row = await store.audit.insert(
    auditRow(OPERATOR_ACTOR, {
      action: PRUNE_ACTION,
      resourceType: 'audit_log',
      status: 'success',
      details: { up_to_id: upToId, count, older_than_seconds: olderThanSeconds, note: await signPrune(upToId, signer) },
    }),
  );
  for (let tried = 0; !(await store.auditTree.leafOf(row.id)); tried++) {
    if (tried === TRIES) {
      throw new FieldsealError(
        'ERR_UNAVAILABLE',
        'Nothing was deleted: a transaction that is still open holds up sealing; run the command again when it has ended.',
      );
    }
    if (tried > 0) await new Promise((resolve) => setTimeout(resolve, TRY_MS));
    await sealer.pass();
  }
  await store.audit.permitDeletion(upToId, 'cli');
  let pruned = 0;
  for (let deleted = BATCH_ROWS; deleted === BATCH_ROWS; pruned += deleted) {
    // Rows and their hashed values go together, also where the process is killed.
    deleted = await store.transaction((tx) => tx.auditTree.deleteUpTo(upToId, BATCH_ROWS));
  }
  return { upToId, pruned };
}
