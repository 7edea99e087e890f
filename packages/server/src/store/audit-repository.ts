/** The audit log: rows are inserted and read, nothing else. */
import type { Kysely, Selectable } from 'kysely';
import type { StoreSchema } from './schema.js';
import type { AuditRepository, AuditRow } from './store.js';

export function auditRepository(db: Kysely<StoreSchema>): AuditRepository {
  return {
    async insert(row) {
      const inserted = await db
        .insertInto('audit_logs')
        .values({
          user_id: row.userId ?? null,
          action: row.action,
          resource_type: row.resourceType,
          resource_id: row.resourceId ?? null,
          ip_address: row.ipAddress ?? null,
          status: row.status,
          details: row.details ?? null,
          request_id: row.requestId ?? null,
          user_agent: row.userAgent ?? null,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      return toAuditRow(inserted);
    },

    async list({ action, resourceType, limit }) {
      let query = db.selectFrom('audit_logs').selectAll().orderBy('id', 'desc').limit(limit);
      if (action !== undefined) query = query.where('action', '=', action);
      if (resourceType !== undefined) query = query.where('resource_type', '=', resourceType);
      return (await query.execute()).map(toAuditRow);
    },
  };
}

function toAuditRow(row: Selectable<StoreSchema['audit_logs']>): AuditRow {
  return {
    id: row.id,
    userId: row.user_id,
    action: row.action,
    resourceType: row.resource_type,
    resourceId: row.resource_id,
    ipAddress: row.ip_address,
    status: row.status,
    timestamp: row.timestamp,
    details: row.details,
    requestId: row.request_id,
    userAgent: row.user_agent,
  };
}
