/** The service's tables for an application's own Drizzle queries on SQLite. Read them; the service writes them. */
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** Issued API keys. The key itself is in none of the columns. */
export const apiKeys = sqliteTable('api_keys', {
  id: integer('id').primaryKey(),
  userId: text('user_id').notNull(),
  name: text('name').notNull(),
  prefix: text('prefix').notNull(),
  /** Comma-separated. */
  scopes: text('scopes').notNull(),
  createdAt: text('created_at').notNull(),
  expiresAt: text('expires_at'),
  lastUsedAt: text('last_used_at'),
  isActive: integer('is_active', { mode: 'boolean' }).notNull(),
  revokedAt: text('revoked_at'),
  revokedBy: text('revoked_by'),
  revokedReason: text('revoked_reason'),
  /** Not null: out of use for now. */
  disabledAt: text('disabled_at'),
  disabledBy: text('disabled_by'),
  /** Comma-separated. */
  allowedIps: text('allowed_ips'),
  rateLimit: integer('rate_limit'),
  rateWindowSeconds: integer('rate_window_seconds'),
  quota: integer('quota'),
  /** JSON text. */
  metadata: text('metadata'),
  rerolledFrom: integer('rerolled_from'),
});
export type ApiKey = typeof apiKeys.$inferSelect;

/** The audit log. */
export const auditLogs = sqliteTable('audit_logs', {
  id: integer('id').primaryKey(),
  userId: text('user_id'),
  action: text('action').notNull(),
  resourceType: text('resource_type').notNull(),
  resourceId: text('resource_id'),
  ipAddress: text('ip_address'),
  status: text('status', { enum: ['success', 'failure'] }).notNull(),
  timestamp: text('timestamp').notNull(),
  /** JSON text. */
  details: text('details'),
  requestId: text('request_id'),
  userAgent: text('user_agent'),
});
export type AuditLog = typeof auditLogs.$inferSelect;

/** Runs of every kind; `kind` tells rotations from the others. */
export const encryptionKeyRotations = sqliteTable('encryption_key_rotations', {
  id: integer('id').primaryKey(),
  kind: text('kind', { enum: ['encrypt', 'rotate', 'decrypt', 'verify', 'index'] }).notNull(),
  oldKeyVersion: text('old_key_version'),
  newKeyVersion: text('new_key_version'),
  timestamp: text('timestamp').notNull(),
  rotationStatus: text('rotation_status').notNull(),
  totalRecords: integer('total_records').notNull(),
  rotatedRecords: integer('rotated_records').notNull(),
  currentRecords: integer('current_records').notNull(),
  failedRecords: integer('failed_records').notNull(),
  notes: text('notes'),
  errorDetails: text('error_details'),
});
export type EncryptionKeyRotation = typeof encryptionKeyRotations.$inferSelect;
