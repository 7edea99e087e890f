/** What a role of PostgreSQL may do to the audit tables. */
import { FieldsealError } from 'fieldseal';
import { type Kysely, sql } from 'kysely';
import { PROTECTED_TABLES, TREE_TABLES } from './audit-guards.js';
import type { StoreSchema } from './schema.js';
import { qualify, type StorePlace } from './store-place.js';

/** The role reads and inserts from now on, and has no other right: see `AuditRepository.protect`. */
export async function protectAudit(
  tx: Kysely<StoreSchema>,
  place: StorePlace,
  role: string,
): Promise<{ readonly isOwner: boolean }> {
  if (place.dialect === 'sqlite') {
    throw refusal('SQLite has no roles, and whoever can write the file can change all of it');
  }
  const { rows } = await sql<{
    super: boolean;
  }>`select rolsuper as super from pg_roles where rolname = ${role}`.execute(tx);
  if (!rows[0]) throw refusal('there is no role of that name');
  if (rows[0].super) throw refusal('the role is a superuser, from whom nothing can be taken');
  let isOwner = false;
  for (const name of [...PROTECTED_TABLES, ...TREE_TABLES]) {
    const table = qualify(name, place);
    const rights = name === 'audit_prunes' ? 'select' : 'select, insert';
    await sql`revoke all on ${sql.raw(table)} from ${sql.id(role)}`.execute(tx);
    await sql`grant ${sql.raw(rights)} on ${sql.raw(table)} to ${sql.id(role)}`.execute(tx);
    const found = await sql<{ left: boolean; owner: boolean }>`select
      has_table_privilege(${role}, ${table}, 'update, delete, truncate, trigger')
        or has_any_column_privilege(${role}, ${table}, 'update') as left,
      pg_has_role(${role}, relowner, 'member') as owner from pg_class where oid = ${table}::regclass`.execute(tx);
    const [state] = found.rows;
    if (state?.left) throw refusal(`the role still has rights to ${name}: as a member of another role, or from PUBLIC`);
    isOwner ||= state?.owner === true;
  }
  return { isOwner };
}

function refusal(reason: string): FieldsealError {
  return new FieldsealError('ERR_USAGE', `The audit log cannot be protected: ${reason}.`);
}
