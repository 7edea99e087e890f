/** The wrapped secrets of subjects. */
import { databaseSubjects, isFieldsealError, type SubjectName, type WrappedSubject } from 'fieldseal';
import { CompiledQuery, type Kysely, type Selectable, sql } from 'kysely';
import type { DatabaseClock } from './database-clock.js';
import type { StoreSchema } from './schema.js';
import type { SubjectKeyRepository, SubjectRow } from './store.js';
import { qualify, type StorePlace } from './store-place.js';

export function subjectKeyRepository(
  db: Kysely<StoreSchema>,
  place: StorePlace,
  clock: DatabaseClock,
): SubjectKeyRepository {
  // The statements that applications run, so that there is one text of each.
  const { load, insert } = databaseSubjects({
    dialect: place.dialect,
    ...(place.dialect === 'postgres' && { schema: place.schema }),
    query: async (text, params) =>
      (await db.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, [...params]))).rows,
    root: { read: () => [] },
  });
  const isNamed = ({ tenant, subject }: SubjectName) => sql<boolean>`tenant = ${tenant} and subject = ${subject}`;
  return {
    insert,

    async load(names) {
      try {
        return await load(names);
      } catch (error) {
        // Of a store that makes no tables. What the query builder selects reads as empty there by itself.
        if (isFieldsealError(error) && error.code === 'ERR_TABLE_NOT_FOUND') return null;
        throw error;
      }
    },

    async state() {
      const row = await db.selectFrom('subject_state').selectAll().executeTakeFirst();
      return row ? { generation: row.generation, rootFingerprint: row.root_fingerprint } : null;
    },

    async page({ after, limit }) {
      let query = db.selectFrom('subject_keys').selectAll().orderBy('tenant').orderBy('subject').limit(limit);
      if (after) query = query.where(sql<boolean>`(tenant, subject) > (${after.tenant}, ${after.subject})`);
      return (await query.execute()).map(toSubjectRow);
    },

    async count() {
      const row = await db
        .selectFrom('subject_keys')
        .select(({ fn }) => fn.countAll<number>().as('rows'))
        .where('erased_at', 'is', null)
        .executeTakeFirst();
      return row?.rows ?? 0;
    },

    async replaceRoot(from, to, aboveGeneration = 0) {
      const row = await db
        .updateTable('subject_state')
        .set({
          root_fingerprint: to,
          generation: sql<number>`case when generation < ${sql.lit(aboveGeneration)} then ${sql.lit(aboveGeneration)} else generation end + 1`,
        })
        .where('root_fingerprint', '=', from)
        .returning('generation')
        .executeTakeFirst();
      return row?.generation ?? null;
    },

    async rewrap(subjects) {
      if (subjects.length === 0) return;
      const values = sql.join(
        subjects.map((row: WrappedSubject) => sql`(${row.tenant}, ${row.subject}, ${row.wrapped})`),
      );
      const table = sql.raw(qualify('subject_keys', place));
      await sql`with n (tenant, subject, wrapped) as (values ${values})
        update ${table} as k set wrapped = n.wrapped from n
        where k.tenant = n.tenant and k.subject = n.subject and k.erased_at is null`.execute(db);
    },

    async erase(name) {
      const row = await db
        .updateTable('subject_keys')
        .set({ wrapped: null, erased_at: clock.timestamp })
        .where(isNamed(name))
        .where('erased_at', 'is', null)
        .returning('subject')
        .executeTakeFirst();
      return row !== undefined;
    },

    async put(rows) {
      if (rows.length === 0) return;
      await db
        .insertInto('subject_keys')
        .values(
          rows.map(({ tenant, subject, wrapped, createdAt, erasedAt }) => ({
            tenant,
            subject,
            wrapped,
            created_at: createdAt,
            erased_at: erasedAt,
          })),
        )
        .onConflict((conflict) =>
          conflict
            .columns(['tenant', 'subject'])
            .doUpdateSet((row) => ({ wrapped: row.ref('excluded.wrapped'), erased_at: row.ref('excluded.erased_at') }))
            .where('subject_keys.erased_at', 'is', null),
        )
        .execute();
    },
  };
}

function toSubjectRow(row: Selectable<StoreSchema['subject_keys']>): SubjectRow {
  return {
    tenant: row.tenant,
    subject: row.subject,
    wrapped: row.wrapped,
    createdAt: row.created_at,
    erasedAt: row.erased_at,
  };
}
