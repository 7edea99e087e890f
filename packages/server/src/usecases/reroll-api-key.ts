/** Putting a new API key in the place of one, which goes on for a grace period. */
import Type, { type Static } from 'typebox';
import { assertMayGrant, assertNotItself, assertScope } from '../auth/principal.js';
import type { ApiKeyRow, StoreTransaction } from '../store/store.js';
import { type ApiKeyView, apiKeyState, apiKeyView } from './api-key-view.js';
import { DAY_MS, MAX_DAYS } from './create-api-key.js';
import { assertIntact, findApiKey, wrongState } from './find-api-key.js';
import { type OnceMade, once } from './idempotent.js';
import { assertInput } from './input.js';
import { issueApiKey } from './issue-api-key.js';
import { type Actor, auditRow, type Service } from './service.js';

const MAX_GRACE_SECONDS = 30 * 86_400;

/** What a caller gives. */
export const RerollSchema = Type.Object(
  {
    grace_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: MAX_GRACE_SECONDS,
        default: 0,
        description: 'How long the old key goes on, unless it ends before.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type RerollInput = Static<typeof RerollSchema>;

/** The new key; its text null in the answer to a retry. */
export interface RerolledApiKey extends ApiKeyView {
  readonly key: string | null;
  /** The end of the old key. */
  readonly previousExpiresAt: string | null;
}

/**
 * Issues a key with the owner, name, scopes, limits and metadata of another, as long-lived as that was when it was new, and
 * ends the other after `grace_seconds`, or when it would have ended anyway; with both audited, in one transaction. A key is
 * rerolled once. What is left of its quota goes over to the new key, so that one with a quota has no grace.
 *
 * @param idempotencyKey as in `createApiKeyOnce`; null: none
 * @throws FieldsealError `ERR_NOT_FOUND`, the same for an absent key and another's; `ERR_API_KEY_STATE` unless it is active
 * and was not rerolled before; `ERR_API_KEY_TAMPERED`; `ERR_FORBIDDEN` for a key with scopes that the caller cannot grant;
 * `ERR_IDEMPOTENCY_MISMATCH`; `ERR_INPUT_INVALID`
 */
export async function rerollApiKey(
  service: Service,
  id: number,
  input: RerollInput,
  actor: Actor,
  idempotencyKey: string | null = null,
): Promise<RerolledApiKey> {
  assertInput(RerollSchema, input);
  const { principal } = actor;
  const graceSeconds = input.grace_seconds ?? 0;
  assertScope(principal, 'keys:write');
  assertNotItself(principal, id);
  const request = { key: idempotencyKey, parts: ['reroll', String(id), String(graceSeconds)] };
  return service.store.transaction(async (tx) => {
    const { row, key } = await once(service, tx, principal, request, () =>
      reroll(service, tx, id, graceSeconds, actor),
    );
    const previous = await tx.apiKeys.get(id);
    return { ...apiKeyView(row), key, previousExpiresAt: previous?.expiresAt ?? null };
  });
}

async function reroll(
  service: Service,
  tx: StoreTransaction,
  id: number,
  graceSeconds: number,
  actor: Actor,
): Promise<OnceMade> {
  const old = await findApiKey(tx, actor.principal, id, 'lock');
  assertMayGrant(actor.principal, old.scopes);
  const now = await tx.audit.now();
  const state = apiKeyState(old, Date.parse(now));
  if (state !== 'active') throw wrongState(`The API key is ${state}; only an active one can be rerolled.`);
  assertIntact(service, old);
  const successor = await tx.apiKeys.findSuccessor(id);
  if (successor) throw wrongState(`The API key was rerolled already; key ${successor.id} took its place.`);
  if (old.quota !== null && graceSeconds > 0) {
    throw wrongState('A key with a quota has no grace, since both keys would use the quota up; give grace_seconds 0.');
  }
  const { row, key } = await issueApiKey(service, tx, {
    userId: old.userId,
    name: old.name,
    scopes: old.scopes,
    allowedIps: old.allowedIps,
    rateLimit: old.rateLimit,
    rateWindowSeconds: old.rateWindowSeconds,
    quota: old.quota,
    metadata: old.metadata,
    createdAt: now,
    expiresAt: newEnd(old, now),
    rerolledFrom: id,
  });
  const end = oldEnd(old, now, graceSeconds);
  const ended = await tx.apiKeys.setExpiry(id, old.rowMac, {
    expiresAt: end,
    rowMac: service.seal.macRow({ ...old, expiresAt: end }, old.keyHash),
  });
  if (!ended) throw wrongState('The API key was changed at the same time; try again.');
  if (old.quota !== null) await tx.apiKeys.moveQuota(id, row.id, old.quota);
  await tx.audit.insert(
    auditRow(actor, {
      action: 'api_key_rerolled',
      resourceType: 'api_key',
      resourceId: String(id),
      status: 'success',
      details: {
        ...{ name: old.name, prefix: old.prefix, owner: old.userId, expiresAt: end, graceSeconds },
        successor: { id: row.id, prefix: row.prefix, expiresAt: row.expiresAt },
      },
    }),
  );
  return { row, key };
}

/**
 * As long after now as the old key's end was after its making. The MAC does not cover when a key was made: ten years, as
 * much as any new key can have, is the bound of what somebody could win who writes another time into the database.
 */
function newEnd({ createdAt, expiresAt }: ApiKeyRow, now: string): string | null {
  if (expiresAt === null) return null;
  const lifetimeMs = Date.parse(expiresAt) - Date.parse(createdAt);
  return new Date(Date.parse(now) + Math.min(Math.max(lifetimeMs, 0), MAX_DAYS * DAY_MS)).toISOString();
}

/** Never later than it was. */
function oldEnd({ expiresAt }: ApiKeyRow, now: string, graceSeconds: number): string {
  const endMs = Date.parse(now) + graceSeconds * 1000;
  return new Date(expiresAt === null ? endMs : Math.min(endMs, Date.parse(expiresAt))).toISOString();
}
