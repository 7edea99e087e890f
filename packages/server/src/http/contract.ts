/** The spellings of the guide's contract: snake_case, whole seconds with `Z`, numbers where ids are numbers. */

import Type from 'typebox';
import type { ApiKeyView } from '../usecases/api-key-view.js';
import type { AuditRow } from '../usecases/list-audit-logs.js';
import type { RunView } from '../usecases/list-runs.js';

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

/** The fields that a new key and a listed one share. */
export function apiKeyBody(view: ApiKeyView) {
  return {
    id: view.id,
    name: view.name,
    prefix: view.prefix,
    created_at: time(view.createdAt),
    expires_at: view.expiresAt && time(view.expiresAt),
    is_active: view.isActive && view.revokedAt === null,
    scopes: [...view.scopes],
  };
}

export function listedApiKeyBody(view: ApiKeyView) {
  return { ...apiKeyBody(view), last_used_at: view.lastUsedAt && time(view.lastUsedAt) };
}

export const RevokedSchema = Type.Object(
  { message: Type.String(), id: Type.Integer(), revoked_at: Time },
  { title: 'Revoked' },
);

export function revokedBody({ id, revokedAt }: ApiKeyView) {
  return { message: 'Key revoked successfully', id, revoked_at: time(revokedAt as string) };
}

export const AuditLogSchema = Type.Object(
  {
    id: Type.Integer(),
    user_id: Identity,
    action: Type.String(),
    resource_type: Type.String(),
    resource_id: Identity,
    ip_address: Type.Union([Type.String(), Type.Null()]),
    status: Type.String(),
    timestamp: Time,
  },
  { title: 'AuditLog' },
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

export const StartedRotationSchema = Type.Object(
  { rotation_id: Type.Integer(), status: Type.String(), message: Type.String() },
  { title: 'StartedRotation' },
);

export const RotationSchema = Type.Object(
  {
    id: Type.Integer(),
    old_key_version: Type.Union([Type.String(), Type.Null()]),
    new_key_version: Type.Union([Type.String(), Type.Null()]),
    timestamp: Time,
    rotation_status: Type.String(),
    total_records: Type.Integer(),
    rotated_records: Type.Integer({ description: 'Under the new key: re-encrypted, or written so meanwhile.' }),
    failed_records: Type.Integer(),
    progress_percent: Type.Integer(),
  },
  { title: 'Rotation' },
);

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
