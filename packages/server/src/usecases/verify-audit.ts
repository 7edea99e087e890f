/** `audit verify`: is the log what was sealed, and what was signed? */

import { type NoteVerifier, parseVerifierKey } from '../audit/signed-note.js';
import { type Finding, type LogVerification, verifyLog } from '../audit/verify-log.js';
import type { Store } from '../store/store.js';

export type { Finding, LogVerification };

/**
 * Verifies a store's audit log.
 * @param publicKey a verifier key as `audit keygen` prints it; null: `own`, where there is one
 * @param given checkpoints that were kept elsewhere
 * @throws FieldsealError `ERR_KEY_MALFORMED`
 */
export async function verifyAudit(
  store: Store,
  { publicKey, own, given }: { publicKey: string | null; own: NoteVerifier | null; given: readonly string[] },
): Promise<LogVerification & { readonly isSigned: boolean }> {
  const verifier = publicKey === null ? own : parseVerifierKey(publicKey);
  return { ...(await verifyLog(store, { verifier, given })), isSigned: verifier !== null };
}
