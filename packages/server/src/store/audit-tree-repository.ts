/** The tables of the audit log's Merkle tree. Rows are only ever added to them; triggers refuse anything else. */
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { type ExactColumns, exactColumns, toExactRow } from './audit-exact-row.js';
import {
  type AuditEpoch,
  type AuditTreeRepository,
  type LeafWithRow,
  nodeKey,
  type StoredCheckpoint,
  type StoredLeaf,
  type StoredNode,
  type TreeProgress,
} from './audit-tree.js';
import { DATABASE_CLOCKS } from './database-clock.js';
import type { StoreSchema } from './schema.js';
import { qualify, type StorePlace } from './store-place.js';

interface LeafColumns {
  readonly leaf_index: number;
  readonly epoch: number;
  readonly audit_id: number;
  readonly xact_id: number | null;
  readonly salt: string;
  readonly row_hash: string;
  readonly leaf_hash: string;
}

export function auditTreeRepository(db: Kysely<StoreSchema>, place: StorePlace): AuditTreeRepository {
  const isPostgres = place.dialect === 'postgres';
  const table = (name: keyof StoreSchema) => sql.raw(qualify(name, place));
  const logs = table('audit_logs');
  const leaves = table('audit_leaves');
  const exact = exactColumns(place.dialect);
  const isUnsealed = sql`not exists (select 1 from ${leaves} l where l.audit_id = a.id)`;
  const leafWithRow = sql`select l.leaf_index, l.epoch, l.audit_id, l.xact_id, l.salt, l.row_hash, l.leaf_hash, ${exact.sql}
    from ${leaves} l left join ${logs} a on a.id = l.audit_id`;

  async function rows<R>(query: RawBuilder<R>): Promise<R[]> {
    return (await query.execute(db)).rows;
  }

  /** Which rows come behind the last leaf in the order of its epoch; `isSettled` leaves out transactions under way. */
  function behind({ epoch, last }: TreeProgress, isSettled: boolean): RawBuilder<unknown> {
    if (!isPostgres || !epoch) return sql`a.id > ${last?.auditId ?? 0}`;
    const [xact, id] = last?.xactId != null ? [last.xactId, last.auditId] : [epoch.startXact ?? 0, 0];
    const from = sql`(a.xact_id, a.id) > (cast(${String(xact)} as xid8), ${id}) and ${isUnsealed}`;
    return isSettled ? sql`${from} and a.xact_id < pg_snapshot_xmin(pg_current_snapshot())` : from;
  }

  /** The rows that the epoch began with and that are not sealed yet. */
  function inherited({ epoch, last }: TreeProgress): RawBuilder<unknown> {
    return sql`a.id > ${last?.auditId ?? 0} and a.id <= ${epoch?.inheritedUpTo ?? 0} and ${isUnsealed}`;
  }

  return {
    async progress() {
      const [epoch] = await db.selectFrom('audit_epochs').selectAll().orderBy('epoch', 'desc').limit(1).execute();
      const [last] = await db.selectFrom('audit_leaves').selectAll().orderBy('leaf_index', 'desc').limit(1).execute();
      const [horizon] = isPostgres
        ? await rows(
            sql<{ xact: number }>`select cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint) as xact`,
          )
        : [];
      return {
        size: last ? last.leaf_index + 1 : 0,
        epoch: epoch ? toEpoch(epoch) : null,
        last: last && last.epoch === epoch?.epoch ? toLeaf(last) : null,
        horizon: horizon?.xact ?? null,
      };
    },

    async epochs() {
      return (await db.selectFrom('audit_epochs').selectAll().orderBy('epoch').execute()).map(toEpoch);
    },

    async beginEpoch(epoch, cluster) {
      const start = isPostgres ? sql`cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint)` : sql`null`;
      await sql`insert into ${table('audit_epochs')} (epoch, cluster, inherited_up_to, start_xact)
        select ${epoch}, ${cluster}, (select coalesce(max(id), 0) from ${logs}), ${start} where true
        on conflict (epoch) do nothing`.execute(db);
    },

    async unsealed(progress, part, limit) {
      const which = part === 'inherited' ? inherited(progress) : behind(progress, true);
      const order = isPostgres && part === 'since' ? sql`a.xact_id, a.id` : sql`a.id`;
      const since = isPostgres ? sql`cast(cast(a.xact_id as text) as bigint)` : sql`0`;
      const xact = sql`${part === 'since' ? since : sql`null`} as xact_id`;
      const found = await rows(
        sql<ExactColumns & { xact_id: number | null }>`select ${exact.sql}, ${xact} from ${logs} a where ${which}
          order by ${order} limit ${limit}`,
      );
      return found.map((row) => ({ id: Number(row.row_id), xactId: row.xact_id, row: toExactRow(row) ?? {} }));
    },

    async append(size, { leaves: newLeaves, nodes, checkpoint }) {
      if (isPostgres) {
        const name = `fieldseal audit seal ${place.schema}`;
        const [lock] = await rows(
          sql<{ taken: boolean }>`select pg_try_advisory_xact_lock(hashtextextended(${name}, 0)) as taken`,
        );
        if (!lock?.taken) return false;
      }
      const last = await db
        .selectFrom('audit_leaves')
        .select(({ fn }) => fn.max('leaf_index').as('index'))
        .executeTakeFirst();
      if ((last?.index ?? -1) + 1 !== size) return false;
      // One parameter for all of them: a statement with thousands takes longer to build than to run.
      const leafRows = newLeaves.map(({ index, epoch, auditId, xactId, salt, rowHash, hash }) => [
        index,
        epoch,
        auditId,
        xactId,
        salt.toString('hex'),
        rowHash.toString('hex'),
        hash.toString('hex'),
      ]);
      const nodeRows = nodes.map(({ level, index, hash }) => [level, index, hash.toString('hex')]);
      const columns = (types: readonly string[]) =>
        sql.join(
          types.map((type, at) =>
            isPostgres
              ? sql`cast(v->>${sql.lit(at)} as ${sql.raw(type)})`
              : sql`json_extract(value, ${sql.lit(`$[${at}]`)})`,
          ),
        );
      const from = (values: unknown) =>
        isPostgres
          ? sql`json_array_elements(cast(${JSON.stringify(values)} as json)) v`
          : sql`json_each(${JSON.stringify(values)})`;
      await sql`insert into ${leaves} (leaf_index, epoch, audit_id, xact_id, salt, row_hash, leaf_hash)
        select ${columns(['bigint', 'integer', 'bigint', 'bigint', 'text', 'text', 'text'])} from ${from(leafRows)}`.execute(
        db,
      );
      await sql`insert into ${table('audit_tree_nodes')} (level, node_index, hash)
        select ${columns(['integer', 'bigint', 'text'])} from ${from(nodeRows)}`.execute(db);
      if (checkpoint) {
        const { size: treeSize, note } = checkpoint;
        await db
          .insertInto('audit_checkpoints')
          .values({ tree_size: treeSize, note })
          .onConflict((conflict) => conflict.column('tree_size').doNothing())
          .execute();
      }
      return true;
    },

    async nodes(places) {
      const found = new Map<string, Buffer>();
      const indices = places.filter(({ level }) => level === 0).map(({ index }) => index);
      const above = places.filter(({ level }) => level > 0);
      if (indices.length > 0) {
        const hashes = await db
          .selectFrom('audit_leaves')
          .select(['leaf_index', 'leaf_hash'])
          .where('leaf_index', 'in', indices)
          .execute();
        for (const row of hashes) found.set(nodeKey(0, row.leaf_index), Buffer.from(row.leaf_hash, 'hex'));
      }
      if (above.length > 0) {
        const hashes = await db
          .selectFrom('audit_tree_nodes')
          .selectAll()
          .where((eb) => eb.or(above.map(({ level, index }) => eb.and({ level, node_index: index }))))
          .execute();
        for (const row of hashes) found.set(nodeKey(row.level, row.node_index), Buffer.from(row.hash, 'hex'));
      }
      return found;
    },

    async nodesAbove(begin, end) {
      const ranges: { level: number; first: number; behind: number }[] = [];
      for (let level = 1, width = 2; width <= end; level++, width *= 2) {
        const [first, beyond] = [Math.floor(begin / width), Math.floor(end / width)];
        if (first < beyond) ranges.push({ level, first, behind: beyond });
      }
      if (ranges.length === 0) return [];
      const found = await db
        .selectFrom('audit_tree_nodes')
        .selectAll()
        .where((eb) =>
          eb.or(
            ranges.map(({ level, first, behind: beyond }) =>
              eb.and([eb('level', '=', level), eb('node_index', '>=', first), eb('node_index', '<', beyond)]),
            ),
          ),
        )
        .execute();
      return found.map(
        (row): StoredNode => ({ level: row.level, index: row.node_index, hash: Buffer.from(row.hash, 'hex') }),
      );
    },

    async latestCheckpoint() {
      const row = await db
        .selectFrom('audit_checkpoints')
        .selectAll()
        .orderBy('tree_size', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row ? toCheckpoint(row) : null;
    },

    async checkpointsAfter(size, limit) {
      const found = await db
        .selectFrom('audit_checkpoints')
        .selectAll()
        .where('tree_size', '>', size)
        .orderBy('tree_size')
        .limit(limit)
        .execute();
      return found.map(toCheckpoint);
    },

    async leavesFrom(index, limit) {
      const found = await rows(
        sql<LeafColumns & ExactColumns>`${leafWithRow} where l.leaf_index >= ${index}
          order by l.leaf_index limit ${limit}`,
      );
      return found.map(toLeafWithRow);
    },

    async leafOf(auditId) {
      const [found] = await rows(sql<LeafColumns & ExactColumns>`${leafWithRow} where l.audit_id = ${auditId}`);
      return found ? toLeafWithRow(found) : null;
    },

    async leavesOfAction(action) {
      const found = await rows(
        sql<LeafColumns & ExactColumns>`${leafWithRow} where a.action = ${action} order by l.leaf_index`,
      );
      return found.map(toLeafWithRow);
    },

    async passedOver({ epoch, last }, limit) {
      if (!epoch || !last) return [];
      let which = sql`a.id <= ${last.auditId}`;
      if (isPostgres && last.xactId === null)
        which = sql`${which} and a.xact_id < cast(${String(epoch.startXact)} as xid8)`;
      if (isPostgres && last.xactId !== null) {
        // A number that the server has not given to any transaction yet would put a row off for ever.
        which = sql`((a.xact_id, a.id) <= (cast(${String(last.xactId)} as xid8), ${last.auditId})
          or a.xact_id >= pg_snapshot_xmax(pg_current_snapshot()))`;
      }
      const found = await rows(
        sql<{ id: number }>`select a.id from ${logs} a where ${which} and ${isUnsealed} order by a.id limit ${limit}`,
      );
      return found.map(({ id }) => id);
    },

    async lag(progress) {
      const which =
        isPostgres && progress.last?.xactId == null
          ? sql`a.id > ${progress.last?.auditId ?? 0} and ${isUnsealed}`
          : behind(progress, false);
      const age = isPostgres
        ? sql`extract(epoch from clock_timestamp() - min(a.timestamp))`
        : sql`unixepoch('now', 'subsec') - unixepoch(min(a.timestamp), 'subsec')`;
      const [row] = await rows(
        sql<{
          count: number;
          age: number | string | null;
        }>`select count(*) as count, ${age} as age from ${logs} a where ${which}`,
      );
      return { rows: row?.count ?? 0, oldestSeconds: Math.max(0, Number(row?.age ?? 0)) };
    },

    async prunableUpTo(progress, olderThanSeconds) {
      const { timestamp } = DATABASE_CLOCKS[place.dialect];
      const cutoff = isPostgres
        ? sql`${timestamp} - make_interval(secs => ${olderThanSeconds})`
        : sql`strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ${`-${olderThanSeconds} seconds`})`;
      const [row] = await rows(
        sql<{ young: number | null; last: number | null }>`select
          (select min(a.id) from ${logs} a where a.timestamp >= ${cutoff} or ${isUnsealed}) as young,
          (select max(a.id) from ${logs} a) as last`,
      );
      const upTo = row?.young != null ? row.young - 1 : (row?.last ?? 0);
      return progress.size > 0 && upTo > 0 ? upTo : null;
    },

    async countUpTo(id) {
      const [row] = await rows(sql<{ count: number }>`select count(*) as count from ${logs} where id <= ${id}`);
      return row?.count ?? 0;
    },

    async deleteUpTo(id, limit) {
      const batch = await rows(
        sql<{ id: number }>`select a.id from ${logs} a join ${leaves} l on l.audit_id = a.id
          where a.id <= ${id} order by a.id limit ${limit}`,
      );
      const ids = batch.map((row) => row.id);
      if (ids.length === 0) return 0;
      await db.deleteFrom('audit_log_values').where('audit_id', 'in', ids).execute();
      await db.deleteFrom('audit_logs').where('id', 'in', ids).execute();
      return ids.length;
    },
  };
}

function toEpoch(row: {
  epoch: number;
  cluster: string | null;
  inherited_up_to: number;
  start_xact: number | null;
}): AuditEpoch {
  return {
    epoch: row.epoch,
    cluster: row.cluster,
    inheritedUpTo: row.inherited_up_to,
    startXact: row.start_xact,
  };
}

function toLeaf(row: LeafColumns): StoredLeaf {
  return {
    index: row.leaf_index,
    epoch: row.epoch,
    auditId: row.audit_id,
    xactId: row.xact_id,
    salt: Buffer.from(row.salt, 'hex'),
    rowHash: Buffer.from(row.row_hash, 'hex'),
    hash: Buffer.from(row.leaf_hash, 'hex'),
  };
}

function toLeafWithRow(row: LeafColumns & ExactColumns): LeafWithRow {
  return { ...toLeaf(row), row: toExactRow(row) };
}

function toCheckpoint(row: { tree_size: number; note: string }): StoredCheckpoint {
  return { size: row.tree_size, note: row.note };
}
