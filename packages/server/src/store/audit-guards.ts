/** Triggers that keep audit rows as they were written. They stop mistakes and whoever may only write, not a table's owner. */
import type { Dialect } from './store.js';

type Qualify = (table: string) => string;

/** The tables whose rows are only ever inserted, with the column that holds an audit row's id. */
const GUARDED = { audit_logs: 'id', audit_log_values: 'audit_id' } as const;

/** `audit protect` takes the rights to change these away from a role. */
export const PROTECTED_TABLES = ['audit_logs', 'audit_log_values', 'audit_prunes'] as const;

/** The tables of the audit log's tree, to which rows are only ever added. */
export const TREE_TABLES = ['audit_epochs', 'audit_leaves', 'audit_tree_nodes', 'audit_checkpoints'] as const;

const UNCHANGED = 'audit rows are never changed';
const KEPT = 'audit rows are deleted by `fieldseal audit prune` alone';

/** No row is updated, and none deleted but those that `audit_prunes` names. */
export function auditGuards(dialect: Dialect, qualify: Qualify): string[] {
  return dialect === 'sqlite' ? sqliteGuards() : postgresGuards(qualify);
}

function sqliteGuards(): string[] {
  const guard = (table: string, name: string, when: string, message: string) =>
    `create trigger fieldseal_${table}_${name} before ${when} begin select raise(abort, '${message}'); end`;
  return [
    ...Object.entries(GUARDED).map(([table, id]) =>
      guard(
        table,
        'delete',
        `delete on ${table} when not exists (select 1 from audit_prunes where up_to_id >= old.${id})`,
        KEPT,
      ),
    ),
    ...PROTECTED_TABLES.map((table) => guard(table, 'update', `update on ${table}`, UNCHANGED)),
    guard('audit_prunes', 'delete', 'delete on audit_prunes', UNCHANGED),
    // INSERT OR REPLACE deletes without asking the triggers of deletions.
    guard(
      'audit_logs',
      'insert',
      'insert on audit_logs when exists (select 1 from audit_logs where id = new.id)',
      UNCHANGED,
    ),
    guard(
      'audit_log_values',
      'insert',
      'insert on audit_log_values when exists (select 1 from audit_log_values where audit_id = new.audit_id and name = new.name)',
      UNCHANGED,
    ),
    guard(
      'audit_prunes',
      'insert',
      'insert on audit_prunes when exists (select 1 from audit_prunes where id = new.id)',
      UNCHANGED,
    ),
  ];
}

function postgresGuards(qualify: Qualify): string[] {
  const [kept, unchanged] = [qualify('fieldseal_audit_kept'), qualify('fieldseal_audit_unchanged')];
  return [
    `create function ${kept}() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
      begin
        if exists (select 1 from ${qualify('audit_prunes')} where up_to_id >= (to_jsonb(old) ->> tg_argv[0])::bigint) then
          return old;
        end if;
        raise exception '${KEPT}';
      end $$`,
    `create function ${unchanged}() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
      begin
        raise exception '${UNCHANGED}';
      end $$`,
    ...Object.entries(GUARDED).map(
      ([table, id]) =>
        `create trigger fieldseal_${table}_delete before delete on ${qualify(table)} for each row execute function ${kept}('${id}')`,
    ),
    ...PROTECTED_TABLES.map(
      (table) =>
        `create trigger fieldseal_${table}_update before update or truncate on ${qualify(table)} for each statement execute function ${unchanged}()`,
    ),
    `create trigger fieldseal_audit_prunes_delete before delete on ${qualify('audit_prunes')} for each statement execute function ${unchanged}()`,
  ];
}

/** The transaction of each row, so that a reader in this order never overlooks one that commits late. PostgreSQL only. */
export function xactIds(qualify: Qualify): string[] {
  const table = qualify('audit_logs');
  return [
    `alter table ${table} add column if not exists xact_id xid8 not null default pg_current_xact_id()`,
    `create index if not exists fieldseal_audit_logs_xact on ${table} (xact_id, id)`,
  ];
}

/** Triggers that refuse to change or delete what is in these tables. */
export function insertOnly(dialect: Dialect, qualify: Qualify, tables: readonly string[]): string[] {
  if (dialect === 'sqlite') {
    return tables.flatMap((table) =>
      ['update', 'delete'].map(
        (verb) => `create trigger fieldseal_${table}_no_${verb} before ${verb} on ${table}
          begin select raise(abort, '${table} is insert-only'); end`,
      ),
    );
  }
  const refuse = qualify('fieldseal_refuse_tree_change');
  return [
    `create function ${refuse}() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
      begin raise exception '% is insert-only', tg_table_name; end $$`,
    ...tables.flatMap((table) =>
      ['update', 'delete', 'truncate'].map(
        (verb) => `create trigger fieldseal_${table}_no_${verb} before ${verb} on ${qualify(table)}
          for each statement execute function ${refuse}()`,
      ),
    ),
  ];
}
