/** The audit log: rows are inserted and read, nothing else. */
import type { ExpressionBuilder, Kysely, Selectable } from 'kysely';
import type { DatabaseClock } from './database-clock.js';
import type { StoreSchema } from './schema.js';
import type { AuditFilter, AuditRepository, AuditRow } from './store.js';
import { storedTime } from './stored-time.js';

export function auditRepository(db: Kysely<StoreSchema>, clock: DatabaseClock): AuditRepository {
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

    async list({ limit, beforeId, ...filter }) {
      let query = db.selectFrom('audit_logs').selectAll().where(matches(filter)).orderBy('id', 'desc').limit(limit);
      if (beforeId !== undefined) query = query.where('id', '<', beforeId);
      return (await query.execute()).map(toAuditRow);
    },

    async count(filter) {
      const row = await db
        .selectFrom('audit_logs')
        .select(({ fn }) => fn.countAll<number>().as('rows'))
        .where(matches(filter))
        .executeTakeFirst();
      // A table that isn't made yet has not even this row.
      return row?.rows ?? 0;
    },

    async now() {
      return (await db.selectNoFrom(clock.timestamp.as('now')).executeTakeFirstOrThrow()).now;
    },
  };
}

/** The condition of a filter; an empty one lets every row through. */
function matches({ userId, action, resourceType, resourceId, status, from, until }: AuditFilter) {
  return (row: ExpressionBuilder<StoreSchema, 'audit_logs'>) =>
    row.and([
      ...(userId === undefined ? [] : [row('user_id', '=', userId)]),
      ...(action === undefined ? [] : [row('action', '=', action)]),
      ...(resourceType === undefined ? [] : [row('resource_type', '=', resourceType)]),
      ...(resourceId === undefined ? [] : [row('resource_id', '=', resourceId)]),
      ...(status === undefined ? [] : [row('status', '=', status)]),
      ...(from === undefined ? [] : [row('timestamp', '>=', storedTime(from))]),
      ...(until === undefined ? [] : [row('timestamp', '<', storedTime(until))]),
    ]);
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
