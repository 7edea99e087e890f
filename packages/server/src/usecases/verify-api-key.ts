/** Whether an API key is valid, for whom and for what: what other services ask. */

import { FieldsealError } from 'fieldseal';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { isAddress } from '../auth/ip-allow-list.js';
import { assertScope } from '../auth/principal.js';
import type { UseOutcome } from '../store/store.js';
import type { KnownApiKey } from './api-key-cache.js';
import { scopeList } from './create-api-key.js';
import { assertInput } from './input.js';
import { type Actor, OPERATOR_ACTOR, type Service } from './service.js';
import { takeOverUsedApiKey } from './take-over-used-api-key.js';

/** What a key can turn out to be. */
export const VERIFICATION_CODES = [
  'VALID',
  'NOT_FOUND',
  'REVOKED',
  'DISABLED',
  'EXPIRED',
  'FORBIDDEN_IP',
  'INSUFFICIENT_SCOPE',
  'RATE_LIMITED',
  'QUOTA_EXCEEDED',
] as const;
export type VerificationCode = (typeof VERIFICATION_CODES)[number];

/** What a caller gives. */
export const VerificationSchema = Type.Object(
  {
    key: Type.String({ minLength: 1, maxLength: 1024, description: 'The whole key.' }),
    scopes: Type.Optional(
      Type.Union([Type.String({ maxLength: 8000 }), Type.Array(Type.String({ maxLength: 200 }), { maxItems: 100 })], {
        description: 'The scopes that it must have, all of them: comma-separated, or an array.',
      }),
    ),
    ip: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: 'The address that presented it, for keys with an allow-list.',
      }),
    ),
  },
  { additionalProperties: false },
);
/** Compiled, as this is asked often. */
const IsVerification = Compile(VerificationSchema);
export type VerificationInput = Static<typeof VerificationSchema>;

/** What a key turned out to be. `NOT_FOUND` tells nothing else: whoever does not hold a whole key learns nothing of any. */
export interface ApiKeyVerdict {
  readonly valid: boolean;
  readonly code: VerificationCode;
  readonly keyId: number | null;
  readonly userId: string | null;
  readonly scopes: readonly string[] | null;
  /** RFC 3339 UTC; null also for a key without an end. */
  readonly expiresAt: string | null;
  /** Of a key with a rate limit, once all else is in order. */
  readonly rateLimit: RateLimitState | null;
}

/** Where a key stands in its window. */
export interface RateLimitState {
  /** Uses in a window. */
  readonly limit: number;
  readonly windowSeconds: number;
  readonly remaining: number;
  /** Until the window ends, rounded up. */
  readonly resetSeconds: number;
}

const NOT_FOUND: ApiKeyVerdict = {
  valid: false,
  code: 'NOT_FOUND',
  keyId: null,
  userId: null,
  scopes: null,
  expiresAt: null,
  rateLimit: null,
};

/**
 * Verifies a key, and counts the use when it is valid. The key is found by its keyed hash, compared in constant time;
 * nothing is said of a key to whoever does not hold all of it.
 *
 * A revocation, like every other change, counts for each verification that begins more than a second after it was committed,
 * in every process. Limits hold over all processes exactly.
 *
 * @throws FieldsealError `ERR_INPUT_INVALID`; `ERR_FORBIDDEN` for a caller whose scopes lack `keys:verify`; those of the database,
 * and, where keys are taken over, of the keyring
 * @example
 * const { valid, code } = await verifyApiKey(service, { key, scopes: ['read:projects'], ip: '192.0.2.7' });
 */
export async function verifyApiKey(
  service: Service,
  input: VerificationInput,
  actor: Actor = OPERATOR_ACTOR,
): Promise<ApiKeyVerdict> {
  if (!IsVerification.Check(input)) assertInput(VerificationSchema, input);
  assertScope(actor.principal, 'keys:verify');
  const { key, ip } = input;
  if (ip !== undefined && !isAddress(ip)) throw new FieldsealError('ERR_INPUT_INVALID', 'ip is not an IP address.');
  return judgeApiKey(service, key, scopeList(input.scopes), ip ?? null);
}

/** The same for texts that were checked already. */
export async function judgeApiKey(
  service: Service,
  key: string,
  scopes: readonly string[],
  ip: string | null,
): Promise<ApiKeyVerdict> {
  const { store, verification } = service;
  const known = (await verification.find(key)) ?? (await findTakenOver(service, key));
  if (!known) return NOT_FOUND;
  const refusal = refusalOf(known, scopes, ip, known.expiresAt === null ? 0 : await verification.nowMs());
  if (refusal) return verdict(known, refusal, null);
  if (known.rateLimit === null && known.quota === null) {
    await verification.noteUse(known.id);
    return verdict(known, 'VALID', null);
  }
  const outcome = await store.apiKeyUsage.consume(known.id, known);
  const rateLimit = rateLimitState(known, outcome);
  if (outcome.result !== 'used') {
    return verdict(known, outcome.result === 'rate_limited' ? 'RATE_LIMITED' : 'QUOTA_EXCEEDED', rateLimit);
  }
  await verification.noteUse(known.id);
  return verdict(known, 'VALID', rateLimit);
}

/** A key of the Python original that gains its hash by this use; null for everything else. */
async function findTakenOver(service: Service, key: string): Promise<KnownApiKey | null> {
  if (!service.settings.apiKeysTakeOverOnUse || !(await takeOverUsedApiKey(service, key))) return null;
  await service.verification.refresh();
  return service.verification.find(key);
}

/** What stands against a use, apart from how many there were. A use that is refused for this is not counted. */
function refusalOf(
  known: KnownApiKey,
  scopes: readonly string[],
  ip: string | null,
  nowMs: number,
): VerificationCode | null {
  if (known.isRevoked) return 'REVOKED';
  if (known.isDisabled) return 'DISABLED';
  // Also for a time that cannot be read.
  if (!(known.expiresAtMs > nowMs)) return 'EXPIRED';
  if (known.allowed && !known.allowed.permits(ip)) return 'FORBIDDEN_IP';
  if (!scopes.every((scope) => known.scopes.includes(scope))) return 'INSUFFICIENT_SCOPE';
  return null;
}

function verdict(known: KnownApiKey, code: VerificationCode, rateLimit: RateLimitState | null): ApiKeyVerdict {
  const { id, userId, scopes, expiresAt } = known;
  return { valid: code === 'VALID', code, keyId: id, userId, scopes, expiresAt, rateLimit };
}

function rateLimitState(known: KnownApiKey, { remaining, resetMs }: UseOutcome): RateLimitState | null {
  if (known.rateLimit === null || remaining === null || resetMs === null) return null;
  return {
    limit: known.rateLimit,
    windowSeconds: known.rateWindowSeconds ?? 0,
    remaining,
    resetSeconds: Math.max(1, Math.ceil(resetMs / 1000)),
  };
}
