/** The audit log: rows are inserted and read, nothing else. */
import { type ExpressionBuilder, type Kysely, type Selectable, sql } from 'kysely';
import type { DatabaseClock } from './database-clock.js';
import type { WrittenAs } from './database-url.js';
import { inTransaction } from './in-transaction.js';
import { protectAudit } from './protect-audit.js';
import type { StoreSchema } from './schema.js';
import type { AuditFilter, AuditRepository, AuditRow, Dialect, NewAuditRow } from './store.js';
import type { StorePlace } from './store-place.js';
import { storedTime } from './stored-time.js';

/** @param by who writes, where a row names no user */
export function auditRepository(
  db: Kysely<StoreSchema>,
  place: StorePlace,
  clock: DatabaseClock,
  by: WrittenAs | null,
): AuditRepository {
  const { dialect } = place;
  return {
    insert(row) {
      const values = Object.entries(row.values ?? {});
      if (values.length === 0) return insertRow(db, row, by);
      return inTransaction(db, async (tx) => {
        const inserted = await insertRow(tx, row, by);
        await tx
          .insertInto('audit_log_values')
          .values(values.map(([name, hash]) => ({ audit_id: inserted.id, name, value_hash: hash })))
          .execute();
        return inserted;
      });
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

    async get(id) {
      const row = await db.selectFrom('audit_logs').selectAll().where('id', '=', id).executeTakeFirst();
      return row ? toAuditRow(row) : null;
    },

    async follow(after, limit) {
      const rows = db.selectFrom('audit_logs').selectAll().limit(limit);
      if (dialect === 'sqlite' || after.upTo !== null) {
        const ahead = rows.where('id', '>', after.id).orderBy('id');
        const page = await (after.upTo === null ? ahead : ahead.where('id', '<=', after.upTo)).execute();
        const last = page.at(-1);
        if (last) return { rows: page.map(toAuditRow), at: { ...after, id: last.id } };
        return { rows: [], at: after.upTo === null ? after : { ...after, id: 0, upTo: null } };
      }
      const page = await rows
        .select(sql<string>`xact_id::text`.as('xact'))
        .where(sql<boolean>`(xact_id, id) > (${after.xact}::xid8, ${after.id}::bigint)`)
        // A transaction under way may yet commit rows, and none of them is older than this.
        .where(sql<boolean>`xact_id < pg_snapshot_xmin(pg_current_snapshot())`)
        .orderBy(sql`xact_id`)
        .orderBy('id')
        .execute();
      const last = page.at(-1);
      return { rows: page.map(toAuditRow), at: last ? { ...after, xact: last.xact, id: last.id } : after };
    },

    async startBehind(id) {
      if (dialect === 'sqlite') return { xact: null, cluster: null, id, upTo: null };
      // Of one snapshot: whatever it does not see has no older transaction than this one.
      const { upTo, xact } = await db
        .selectFrom('audit_logs')
        .select(({ fn }) => fn.coalesce(fn.max('id'), sql<number>`0::bigint`).as('upTo'))
        .select(sql<string>`pg_snapshot_xmin(pg_current_snapshot())::text`.as('xact'))
        .executeTakeFirstOrThrow();
      return { xact, cluster: await clusterOf(db, dialect), id, upTo };
    },

    cluster: () => clusterOf(db, dialect),

    async permitDeletion(upToId, by) {
      await db.insertInto('audit_prunes').values({ up_to_id: upToId, by }).execute();
    },

    protect: (role) => protectAudit(db, place, role),

    async streamCursor(name) {
      const row = await db.selectFrom('audit_streams').select('cursor').where('name', '=', name).executeTakeFirst();
      return row?.cursor ?? null;
    },

    async moveStream(name, from, to) {
      const moved =
        from === null
          ? db
              .insertInto('audit_streams')
              .values({ name, cursor: to })
              .onConflict((conflict) => conflict.column('name').doNothing())
              .returning('name')
          : db
              .updateTable('audit_streams')
              .set({ cursor: to, updated_at: clock.timestamp })
              .where('name', '=', name)
              .where('cursor', '=', from)
              .returning('name');
      return (await moved.executeTakeFirst()) !== undefined;
    },

    async now() {
      return (await db.selectNoFrom(clock.timestamp.as('now')).executeTakeFirstOrThrow()).now;
    },
  };
}

async function clusterOf(db: Kysely<StoreSchema>, dialect: Dialect): Promise<string | null> {
  if (dialect === 'sqlite') return null;
  const mayAsk = sql<{ granted: boolean }>`select has_function_privilege('pg_control_system()', 'execute') as granted`;
  if (!(await mayAsk.execute(db)).rows[0]?.granted) return null;
  const { rows } = await sql<{ id: string }>`select system_identifier::text as id from pg_control_system()`.execute(db);
  return rows[0]?.id ?? null;
}

async function insertRow(db: Kysely<StoreSchema>, row: NewAuditRow, by: WrittenAs | null): Promise<AuditRow> {
  const inserted = await db
    .insertInto('audit_logs')
    .values({
      user_id: row.userId ?? null,
      action: row.action,
      resource_type: row.resourceType,
      resource_id: row.resourceId ?? null,
      ip_address: row.ipAddress ?? null,
      status: row.status,
      details: detailsOf(row, by),
      request_id: row.requestId ?? null,
      user_agent: row.userAgent ?? null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return toAuditRow(inserted);
}

/** A row that names no user says who it was in `via`: the operator at the command line, or the service by itself. */
function detailsOf({ userId, details }: NewAuditRow, by: WrittenAs | null): string | null {
  if (by === null || typeof userId === 'string') return details ?? null;
  const said: unknown = typeof details === 'string' ? JSON.parse(details) : {};
  return JSON.stringify({ via: by, ...(said as object) });
}

/** The condition of a filter; an empty one lets every row through. */
function matches({ userId, action, resourceType, resourceId, status, ipAddress, value, from, until }: AuditFilter) {
  return (row: ExpressionBuilder<StoreSchema, 'audit_logs'>) =>
    row.and([
      ...(userId === undefined ? [] : [row('user_id', '=', userId)]),
      ...(action === undefined ? [] : [row('action', '=', action)]),
      ...(resourceType === undefined ? [] : [row('resource_type', '=', resourceType)]),
      ...(resourceId === undefined ? [] : [row('resource_id', '=', resourceId)]),
      ...(status === undefined ? [] : [row('status', '=', status)]),
      ...(ipAddress === undefined ? [] : [row('ip_address', '=', ipAddress)]),
      ...(value === undefined
        ? []
        : [
            row(
              'id',
              'in',
              row
                .selectFrom('audit_log_values')
                .select('audit_id')
                .where('name', '=', value.name)
                .where('value_hash', '=', value.hash),
            ),
          ]),
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
