/** Issuing an API key. */
import { FieldsealError } from 'fieldseal';
import Type, { type Static } from 'typebox';
import { assertMayGrant, assertScope } from '../auth/principal.js';
import { NO_LIMITS } from '../store/store.js';
import { auditedLimits, changedLimits, newLimitFields } from './api-key-limits.js';
import { type ApiKeyView, apiKeyView } from './api-key-view.js';
import { type OnceMade, once } from './idempotent.js';
import { assertInput } from './input.js';
import { issueApiKey } from './issue-api-key.js';
import { type Actor, auditRow, OPERATOR_ACTOR, type Service } from './service.js';

export const DAY_MS = 86_400_000;
/** Ten years: the longest that a key lives. */
export const MAX_DAYS = 3650;
const MAX_SCOPES = 100;

/** One scope: words of letters, digits, `_`, `-`, `.` and `*`, joined by colons. */
const SCOPE = '[A-Za-z0-9_.*-]+(?::[A-Za-z0-9_.*-]+)*';

/** The name of a key: 1 to 255 characters, one of them no white space, none of them a control character. */
export const ApiKeyName = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: '^(?=.*\\S)[^\\u0000-\\u001f\\u007f]*$',
  description: 'Something to know it by.',
});

/** What a caller gives. */
export const NewApiKeySchema = Type.Object(
  {
    name: ApiKeyName,
    expires_in_days: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MAX_DAYS, description: 'Left out: API_KEY_EXPIRY_DAYS.' }),
    ),
    scopes: Type.Optional(
      Type.Union(
        [
          Type.String({ maxLength: 8000, pattern: `^\\s*(?:${SCOPE}\\s*(?:,\\s*${SCOPE}\\s*)*)?$` }),
          Type.Array(Type.String({ maxLength: 200, pattern: `^${SCOPE}$` }), { maxItems: MAX_SCOPES }),
        ],
        { description: 'What it may do: comma-separated, or an array.' },
      ),
    ),
    ...newLimitFields,
  },
  { additionalProperties: false },
);
export type NewApiKeyInput = Static<typeof NewApiKeySchema>;

/** A new key: the one time that it is seen. */
export interface CreatedApiKey extends ApiKeyView {
  readonly key: string;
}

/** Comma-separated text or an array to a list without repetitions. */
export function scopeList(scopes: string | readonly string[] | undefined): string[] {
  const list = typeof scopes === 'string' ? scopes.split(',') : (scopes ?? []);
  return [...new Set(list.map((scope) => scope.trim()).filter((scope) => scope !== ''))];
}

/** The answer to a request that came before: what it made then, without the key, which is shown once. */
export interface ReplayedApiKey extends ApiKeyView {
  readonly key: null;
}

/**
 * Issues a key, with its audit row, in one transaction. `key` in the result is not stored in the clear and cannot be asked
 * for again.
 *
 * @param owner whose key it is: the caller's own when left out; only an admin (or code) may name another
 * @throws FieldsealError `ERR_INPUT_INVALID`; `ERR_FORBIDDEN` for scopes that the caller cannot grant
 * @example
 * const { key } = await createApiKey(service, { name: 'Integration', expires_in_days: 90, scopes: 'read:projects' }, '42');
 */
export async function createApiKey(
  service: Service,
  input: NewApiKeyInput,
  owner?: string,
  actor: Actor = OPERATOR_ACTOR,
): Promise<CreatedApiKey> {
  const { row, key } = await create(service, input, owner ?? actor.principal.subject, actor, null);
  // Without a key to know the request by, there is no replay.
  return { ...apiKeyView(row), key: key as string };
}

/**
 * The same for a request that may be sent again: within 24 hours, a retry under the same `idempotencyKey` makes no second
 * key, and answers the first without its text.
 * @throws FieldsealError those of {@link createApiKey}; `ERR_IDEMPOTENCY_MISMATCH` for the key of another request
 */
export async function createApiKeyOnce(
  service: Service,
  input: NewApiKeyInput,
  idempotencyKey: string,
  owner?: string,
  actor: Actor = OPERATOR_ACTOR,
): Promise<CreatedApiKey | ReplayedApiKey> {
  const { row, key } = await create(service, input, owner ?? actor.principal.subject, actor, idempotencyKey);
  return { ...apiKeyView(row), key };
}

async function create(
  service: Service,
  input: NewApiKeyInput,
  userId: string,
  actor: Actor,
  idempotencyKey: string | null,
): Promise<OnceMade> {
  assertInput(NewApiKeySchema, input);
  const { principal } = actor;
  const scopes = scopeList(input.scopes);
  const limits = changedLimits(NO_LIMITS, input);
  assertScope(principal, 'keys:write');
  assertMayGrant(principal, scopes);
  if (userId !== principal.subject && !principal.isAdmin) {
    throw new FieldsealError('ERR_FORBIDDEN', 'Only an admin issues keys for somebody else.');
  }
  const { name, expires_in_days: givenDays } = input;
  const days = givenDays ?? service.settings.apiKeyExpiryDays;
  const request = JSON.stringify([userId, name, scopes, givenDays ?? null, limits]);
  return service.store.transaction((tx) =>
    once(service, tx, principal, { key: idempotencyKey, parts: ['create', request] }, async () => {
      const createdAt = await tx.audit.now();
      const expiresAt = new Date(Date.parse(createdAt) + days * DAY_MS).toISOString();
      const issued = { name, userId, scopes, ...limits, createdAt, expiresAt, rerolledFrom: null };
      const { row, key } = await issueApiKey(service, tx, issued);
      const details = { name, prefix: row.prefix, owner: userId, scopes, expiresAt, ...auditedLimits(limits) };
      await tx.audit.insert(
        auditRow(actor, {
          action: 'api_key_created',
          resourceType: 'api_key',
          resourceId: String(row.id),
          status: 'success',
          details,
        }),
      );
      return { row, key };
    }),
  );
}
