/** The spellings of the guide's contract: snake_case, whole seconds with `Z`, numbers where ids are numbers. */

import Type from 'typebox';
import { API_KEY_STATES, type ApiKeyView, apiKeyState, metadataOf } from '../usecases/api-key-view.js';
import { parsedDetails } from '../usecases/audit-lines.js';
import type { AuditRow } from '../usecases/list-audit-logs.js';
import type { RunView } from '../usecases/list-runs.js';
import type { RerolledApiKey } from '../usecases/reroll-api-key.js';
import { type ApiKeyVerdict, VERIFICATION_CODES } from '../usecases/verify-api-key.js';

const Time = Type.String({ format: 'date-time', description: 'RFC 3339, UTC' });
const OptionalTime = Type.Union([Time, Type.Null()]);
const Identity = Type.Union([Type.Integer(), Type.String(), Type.Null()]);

/** `2026-02-26T10:00:00Z`. */
function time(text: string): string {
  return text.replace(/\.\d+Z$/, 'Z');
}

/** A subject or id as a number when it is one, canonically and without loss; else as text. */
function identity(text: string | null): string | number | null {
  return text !== null && /^(0|[1-9]\d*)$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text;
}

const apiKeyFields = {
  id: Type.Integer(),
  name: Type.String(),
  prefix: Type.String(),
  created_at: Time,
  expires_at: OptionalTime,
  is_active: Type.Boolean(),
  scopes: Type.Array(Type.String()),
};
export const ApiKeySchema = Type.Object({ ...apiKeyFields, last_used_at: OptionalTime }, { title: 'ApiKey' });
export const CreatedApiKeySchema = Type.Object(
  { ...apiKeyFields, key: Type.String({ description: 'Shown this once.' }) },
  { title: 'CreatedApiKey' },
);

const OptionalCount = Type.Union([Type.Integer(), Type.Null()]);
const apiKeyDetailFields = {
  ...apiKeyFields,
  last_used_at: OptionalTime,
  user_id: Identity,
  state: Type.Enum(API_KEY_STATES, { description: 'A key that is disabled or revoked is that, expired or not.' }),
  allowed_ips: Type.Union([Type.Array(Type.String()), Type.Null()], { description: 'Null: from everywhere.' }),
  rate_limit: OptionalCount,
  rate_window_seconds: OptionalCount,
  quota: OptionalCount,
  metadata: Type.Union([Type.Object({}, { additionalProperties: true }), Type.Null()]),
  disabled_at: OptionalTime,
  disabled_by: Identity,
  revoked_at: OptionalTime,
  revoked_by: Identity,
  revoked_reason: Type.Union([Type.String(), Type.Null()]),
  rerolled_from: Type.Union([Type.Integer(), Type.Null()], { description: 'The key that this took the place of.' }),
};
export const ApiKeyDetailsSchema = Type.Object(apiKeyDetailFields, { title: 'ApiKeyDetails' });

const PREVIOUS_END = { previous_expires_at: OptionalTime };
export const RerolledApiKeySchema = Type.Object(
  { ...apiKeyDetailFields, ...PREVIOUS_END, key: Type.String({ description: 'Shown this once.' }) },
  { title: 'RerolledApiKey' },
);

/** In the answers to retries the key is null: it was shown once. */
const NoKey = Type.Null({ description: 'It was shown in the first answer.' });
export const ReplayedApiKeySchema = Type.Object({ ...apiKeyFields, key: NoKey }, { title: 'ReplayedApiKey' });
export const ReplayedRerollSchema = Type.Object(
  { ...apiKeyDetailFields, ...PREVIOUS_END, key: NoKey },
  { title: 'ReplayedReroll' },
);

/** The fields that a new key and a listed one share. */
export function apiKeyBody(view: ApiKeyView) {
  return {
    id: view.id,
    name: view.name,
    prefix: view.prefix,
    created_at: time(view.createdAt),
    expires_at: view.expiresAt && time(view.expiresAt),
    is_active: view.isActive && view.revokedAt === null && view.disabledAt === null,
    scopes: [...view.scopes],
  };
}

export function listedApiKeyBody(view: ApiKeyView) {
  return { ...apiKeyBody(view), last_used_at: view.lastUsedAt && time(view.lastUsedAt) };
}

/** All that is known of a key. */
export function apiKeyDetailsBody(view: ApiKeyView) {
  return {
    ...listedApiKeyBody(view),
    user_id: identity(view.userId),
    state: apiKeyState(view, Date.now()),
    allowed_ips: view.allowedIps && [...view.allowedIps],
    rate_limit: view.rateLimit,
    rate_window_seconds: view.rateWindowSeconds,
    quota: view.quota,
    metadata: metadataOf(view),
    disabled_at: view.disabledAt && time(view.disabledAt),
    disabled_by: identity(view.disabledBy),
    revoked_at: view.revokedAt && time(view.revokedAt),
    revoked_by: identity(view.revokedBy),
    revoked_reason: view.revokedReason,
    rerolled_from: view.rerolledFrom,
  };
}

export function rerolledApiKeyBody(view: RerolledApiKey) {
  const { previousExpiresAt } = view;
  return { ...apiKeyDetailsBody(view), previous_expires_at: previousExpiresAt && time(previousExpiresAt) };
}

export const RevokedSchema = Type.Object(
  { message: Type.String(), id: Type.Integer(), revoked_at: Time },
  { title: 'Revoked' },
);

export function revokedBody({ id, revokedAt }: ApiKeyView) {
  return { message: 'Key revoked successfully', id, revoked_at: time(revokedAt as string) };
}

export const VerdictSchema = Type.Object(
  {
    valid: Type.Boolean(),
    code: Type.Enum([...VERIFICATION_CODES]),
    key_id: Type.Union([Type.Integer(), Type.Null()]),
    user_id: Identity,
    scopes: Type.Union([Type.Array(Type.String()), Type.Null()]),
    expires_at: OptionalTime,
  },
  { title: 'Verdict' },
);

export function verdictBody({ valid, code, keyId, userId, scopes, expiresAt }: ApiKeyVerdict) {
  return {
    valid,
    code,
    key_id: keyId,
    user_id: identity(userId),
    scopes: scopes && [...scopes],
    expires_at: expiresAt && time(expiresAt),
  };
}

const auditLogFields = {
  id: Type.Integer(),
  user_id: Identity,
  action: Type.String(),
  resource_type: Type.String(),
  resource_id: Identity,
  ip_address: Type.Union([Type.String(), Type.Null()]),
  status: Type.String(),
  timestamp: Time,
};
export const AuditLogSchema = Type.Object(auditLogFields, { title: 'AuditLog' });
export const AuditLogDetailsSchema = Type.Object(
  {
    ...auditLogFields,
    details: Type.Unknown({
      description: 'An object; a text in rows of the Python original; null where there are none.',
    }),
    request_id: Type.Union([Type.String(), Type.Null()]),
    user_agent: Type.Union([Type.String(), Type.Null()]),
  },
  { title: 'AuditLogDetails' },
);
export const AuditLogsSchema = Type.Object(
  { total: Type.Integer(), logs: Type.Array(AuditLogSchema) },
  { title: 'AuditLogs' },
);

export function auditLogBody(row: AuditRow) {
  return {
    id: row.id,
    user_id: identity(row.userId),
    action: row.action,
    resource_type: row.resourceType,
    resource_id: identity(row.resourceId),
    ip_address: row.ipAddress,
    status: row.status,
    timestamp: time(row.timestamp),
  };
}

export function auditLogDetailsBody(row: AuditRow) {
  const { details, requestId, userAgent } = row;
  return {
    ...auditLogBody(row),
    details: parsedDetails(details),
    request_id: requestId,
    user_agent: userAgent,
  };
}

export const StartedRotationSchema = Type.Object(
  { rotation_id: Type.Integer(), status: Type.String(), message: Type.String() },
  { title: 'StartedRotation' },
);

const OptionalText = Type.Union([Type.String(), Type.Null()]);

const rotationFields = {
  id: Type.Integer(),
  old_key_version: OptionalText,
  new_key_version: OptionalText,
  timestamp: Time,
  rotation_status: Type.String(),
  total_records: Type.Integer(),
  rotated_records: Type.Integer({ description: 'Under the new key: re-encrypted, or written so meanwhile.' }),
  failed_records: Type.Integer(),
  progress_percent: Type.Integer(),
};
export const RotationSchema = Type.Object(rotationFields, { title: 'Rotation' });

export function rotationBody(run: RunView) {
  return {
    id: run.id,
    old_key_version: run.oldKeyVersion,
    new_key_version: run.newKeyVersion,
    timestamp: time(run.createdAt),
    rotation_status: run.status,
    total_records: run.counts.total,
    rotated_records: run.counts.rotated + run.counts.current,
    failed_records: run.counts.failed,
    progress_percent: run.progressPercent,
  };
}

const listedRotationFields = {
  ...rotationFields,
  skipped_records: Type.Integer({ description: 'Given up after concurrent writes won again and again.' }),
  waits_because: Type.Union([Type.String(), Type.Null()], {
    description: 'Why it is not getting on; null while it is, and once it is over.',
  }),
  error_details: Type.Union([Type.String(), Type.Null()], { description: 'Why it failed, stalled or left values.' }),
  initiated_by: Type.String(),
  notes: OptionalText,
  updated_at: Time,
  completed_at: OptionalTime,
};
export const ListedRotationSchema = Type.Object(listedRotationFields, { title: 'ListedRotation' });

export function listedRotationBody(run: RunView) {
  return {
    ...rotationBody(run),
    skipped_records: run.counts.skipped,
    waits_because: run.waitsBecause,
    error_details: run.errorDetails,
    initiated_by: run.initiatedBy,
    notes: run.notes,
    updated_at: time(run.updatedAt),
    completed_at: run.completedAt && time(run.completedAt),
  };
}

const Count = Type.Integer();

/** The report's columns: what became of the records of each. */
const RotatedColumnSchema = Type.Object(
  {
    table: Type.String(),
    column: Type.String(),
    total_records: Count,
    rotated_records: Count,
    current_records: Type.Integer({ description: 'Under the new key already.' }),
    skipped_records: Count,
    failed_records: Count,
    held: Type.Record(Type.String(), Count, {
      description: 'What the verifying pass found: key version, or `plaintext`, and how many values.',
    }),
  },
  { title: 'RotatedColumn' },
);
const UnreadableSchema = Type.Object(
  { table: Type.String(), column: Type.String(), reason: Type.String(), count: Count },
  { title: 'Unreadable' },
);
export const RotationDetailsSchema = Type.Object(
  {
    ...listedRotationFields,
    columns: Type.Union([Type.Array(RotatedColumnSchema), Type.Null()], { description: 'Null until it is done.' }),
    unreadable: Type.Union([Type.Array(UnreadableSchema), Type.Null()], {
      description: 'By column and reason; `fieldseal status` has the primary keys. Null until it is done.',
    }),
  },
  { title: 'RotationDetails' },
);

export function rotationDetailsBody(run: RunView) {
  const columns = run.report?.columns.map((column) => ({
    table: column.table,
    column: column.column,
    total_records: column.total,
    rotated_records: column.rotated,
    current_records: column.current,
    skipped_records: column.skipped,
    failed_records: column.failed,
    held: { ...column.held },
  }));
  const unreadable = run.report?.failures.map((failure) => ({ ...failure }));
  return { ...listedRotationBody(run), columns: columns ?? null, unreadable: unreadable ?? null };
}
