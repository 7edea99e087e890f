/** Requests that have their effect once, however often they come: those that carry an `Idempotency-Key`. */
import { FieldsealError } from 'fieldseal';
import type { Principal } from '../auth/principal.js';
import type { ApiKeyRow, StoreTransaction } from '../store/store.js';
import { findApiKey } from './find-api-key.js';
import type { Service } from './service.js';

/** A request and its key. */
export interface IdempotentRequest {
  /** 1 to 255 printable ASCII characters; null: none was sent, and every request has its effect. */
  readonly key: string | null;
  /** All that decides what the request does: a retry with other parts is another request. */
  readonly parts: readonly string[];
}

/** What a request made, or (`key` null) made when it came first. */
export interface OnceMade {
  readonly row: ApiKeyRow;
  readonly key: string | null;
}

const KEY = /^[ -~]{1,255}$/;

/** A key is the caller's own: another user's, or another API key's of the same user, is another one. */
function callerOf({ kind, apiKeyId, subject }: Principal): string {
  return `${kind}:${apiKeyId ?? ''}:${subject}`;
}

/**
 * Runs `make`, or finds what it made when the same request came before, within 24 hours. What it throws is not remembered.
 * Of two at once, the second waits for the first one's transaction.
 * @throws FieldsealError `ERR_IDEMPOTENCY_MISMATCH` for a key that came with another request; `ERR_INPUT_INVALID`;
 * `ERR_NOT_FOUND` when the caller may not see any more what was made
 */
export async function once(
  { seal }: Service,
  tx: StoreTransaction,
  principal: Principal,
  { key, parts }: IdempotentRequest,
  make: () => Promise<OnceMade>,
): Promise<OnceMade> {
  if (key === null) return make();
  if (!KEY.test(key)) {
    throw new FieldsealError('ERR_INPUT_INVALID', 'Idempotency-Key must be 1 to 255 printable ASCII characters.');
  }
  const claim = { subject: callerOf(principal), key };
  const before = await tx.idempotency.claim(claim, seal.hashRequest(parts));
  if (!before) {
    const made = await make();
    await tx.idempotency.settle(claim, made.row.id);
    return made;
  }
  if (before.resourceId === null || !seal.isRequest(before.requestHash, parts)) {
    throw new FieldsealError(
      'ERR_IDEMPOTENCY_MISMATCH',
      'This Idempotency-Key came with another request; a new request needs a new key.',
    );
  }
  return { row: await findApiKey(tx, principal, before.resourceId), key: null };
}
