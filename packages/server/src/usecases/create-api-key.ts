/** Issuing an API key. */
import { EncryptionService, FieldsealError, isFieldsealError, Keyring } from 'fieldseal';
import Type, { type Static } from 'typebox';
import { generateApiKey } from '../auth/api-key-format.js';
import { assertMayGrant, assertScope } from '../auth/principal.js';
import { type ApiKeyRow, type NewApiKeyRow, NO_LIMITS } from '../store/store.js';
import { type ApiKeyView, apiKeyView } from './api-key-view.js';
import { assertInput } from './input.js';
import { type Actor, auditRow, OPERATOR_ACTOR, type Service } from './service.js';

const DAY_MS = 86_400_000;
/** Ten years. */
const MAX_DAYS = 3650;
const MAX_SCOPES = 100;
const PREFIX_TRIES = 5;

/** One scope: words of letters, digits, `_`, `-`, `.` and `*`, joined by colons. */
const SCOPE = '[A-Za-z0-9_.*-]+(?::[A-Za-z0-9_.*-]+)*';

/** What a caller gives. */
export const NewApiKeySchema = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: '^(?=.*\\S)[^\\u0000-\\u001f\\u007f]*$',
      description: 'Something to know it by.',
    }),
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
  assertInput(NewApiKeySchema, input);
  const { principal } = actor;
  const scopes = scopeList(input.scopes);
  assertScope(principal, 'keys:write');
  assertMayGrant(principal, scopes);
  const userId = owner ?? principal.subject;
  if (userId !== principal.subject && !principal.isAdmin) {
    throw new FieldsealError('ERR_FORBIDDEN', 'Only an admin issues keys for somebody else.');
  }
  const days = input.expires_in_days ?? service.settings.apiKeyExpiryDays;
  for (let tries = 1; ; tries++) {
    const { key, prefix } = generateApiKey(service.settings.apiKeyPrefix);
    try {
      const row = await insert(service, { key, prefix, name: input.name, userId, scopes, days }, actor);
      return { ...apiKeyView(row), key };
    } catch (error) {
      // Six characters do collide once in a while; a collision says nothing and is drawn again.
      const isTaken = isFieldsealError(error) && error.code === 'ERR_API_KEY_PREFIX_TAKEN';
      if (!isTaken || tries === PREFIX_TRIES) throw error;
    }
  }
}

interface Issued {
  readonly key: string;
  readonly prefix: string;
  readonly name: string;
  readonly userId: string;
  readonly scopes: readonly string[];
  readonly days: number;
}

async function insert(
  { store, seal, settings, openKeyring }: Service,
  issued: Issued,
  actor: Actor,
): Promise<ApiKeyRow> {
  const { key, days, ...fields } = issued;
  return store.transaction(async (tx) => {
    const { ring } = await openKeyring(tx);
    const createdAtMs = Date.now();
    const keyHash = seal.hashKey(key);
    const expiresAt = new Date(createdAtMs + days * DAY_MS).toISOString();
    const row: NewApiKeyRow = {
      ...fields,
      keyHash,
      ...NO_LIMITS,
      rerolledFrom: null,
      rowMac: seal.macRow({ ...fields, ...NO_LIMITS, expiresAt }, keyHash),
      encryptedKey: settings.apiKeyRecoverable ? new EncryptionService(new Keyring(ring)).encryptField(key) : null,
      createdAt: new Date(createdAtMs).toISOString(),
      expiresAt,
    };
    const inserted = await tx.apiKeys.insert(row);
    const details = {
      name: fields.name,
      prefix: fields.prefix,
      owner: fields.userId,
      scopes: fields.scopes,
      expiresAt,
    };
    await tx.audit.insert(
      auditRow(actor, {
        action: 'api_key_created',
        resourceType: 'api_key',
        resourceId: String(inserted.id),
        status: 'success',
        details,
      }),
    );
    return inserted;
  });
}
