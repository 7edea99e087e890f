/** The service's tables for an application's own Drizzle queries on PostgreSQL. Read them; the service writes them. */
import { bigint, boolean, pgSchema, text, timestamp } from 'drizzle-orm/pg-core';

const number = (name: string) => bigint(name, { mode: 'number' });
const time = (name: string) => timestamp(name, { withTimezone: true, mode: 'string' });

/** The tables in the schema that `DATABASE_SCHEMA` names (`fieldseal` when it is not set). */
export function fieldsealTables(schemaName = 'fieldseal') {
  const schema = pgSchema(schemaName);
  return {
    /** Issued API keys. The key itself is in none of the columns. */
    apiKeys: schema.table('api_keys', {
      id: number('id').primaryKey(),
      userId: text('user_id').notNull(),
      name: text('name').notNull(),
      prefix: text('prefix').notNull(),
      /** Comma-separated. */
      scopes: text('scopes').notNull(),
      createdAt: time('created_at').notNull(),
      expiresAt: time('expires_at'),
      lastUsedAt: time('last_used_at'),
      isActive: boolean('is_active').notNull(),
      revokedAt: time('revoked_at'),
      revokedBy: text('revoked_by'),
      revokedReason: text('revoked_reason'),
      /** Not null: out of use for now. */
      disabledAt: time('disabled_at'),
      disabledBy: text('disabled_by'),
      /** Comma-separated. */
      allowedIps: text('allowed_ips'),
      rateLimit: number('rate_limit'),
      rateWindowSeconds: number('rate_window_seconds'),
      quota: number('quota'),
      /** JSON text. */
      metadata: text('metadata'),
      rerolledFrom: number('rerolled_from'),
    }),
    /** The audit log. */
    auditLogs: schema.table('audit_logs', {
      id: number('id').primaryKey(),
      userId: text('user_id'),
      action: text('action').notNull(),
      resourceType: text('resource_type').notNull(),
      resourceId: text('resource_id'),
      ipAddress: text('ip_address'),
      status: text('status', { enum: ['success', 'failure'] }).notNull(),
      timestamp: time('timestamp').notNull(),
      /** JSON text. */
      details: text('details'),
      requestId: text('request_id'),
      userAgent: text('user_agent'),
    }),
    /** Runs of every kind; `kind` tells rotations from the others. */
    encryptionKeyRotations: schema.table('encryption_key_rotations', {
      id: number('id').primaryKey(),
      kind: text('kind', { enum: ['encrypt', 'rotate', 'decrypt', 'verify', 'index'] }).notNull(),
      oldKeyVersion: text('old_key_version'),
      newKeyVersion: text('new_key_version'),
      timestamp: time('timestamp').notNull(),
      rotationStatus: text('rotation_status').notNull(),
      totalRecords: number('total_records').notNull(),
      rotatedRecords: number('rotated_records').notNull(),
      currentRecords: number('current_records').notNull(),
      failedRecords: number('failed_records').notNull(),
      notes: text('notes'),
      errorDetails: text('error_details'),
    }),
  };
}

type Tables = ReturnType<typeof fieldsealTables>;
export type ApiKey = Tables['apiKeys']['$inferSelect'];
export type AuditLog = Tables['auditLogs']['$inferSelect'];
export type EncryptionKeyRotation = Tables['encryptionKeyRotations']['$inferSelect'];
