/** What a PostgreSQL database says of its tables. */
import { isOwnTable } from './own-tables.js';
import type { PostgresQuery } from './postgres-session.js';
import { quoteName } from './sql-tokens.js';

/** A table of either kind, or something else under the name of one. */
export interface PostgresRelation {
  readonly oid: string;
  readonly schema: string;
  readonly table: string;
  /** `r` table, `p` partitioned table, `f` foreign table, `v` view, `m` materialized view. */
  readonly kind: string;
  /** Its partition key is taken from another table. */
  readonly isPartition: boolean;
  /** Its plain name finds it, by the connection's search_path. */
  readonly isVisible: boolean;
}

/** One column, and what stands against sweeping it. */
export interface PostgresColumn {
  readonly name: string;
  /** With its length, `character varying(20)`. */
  readonly shownType: string;
  /** What a text of the column's type is cast to. */
  readonly castType: string;
  readonly isText: boolean;
  readonly isInteger: boolean;
  /** What applications, whose drivers have types of their own, get it as; null: nothing that a value could be bound to. */
  readonly bindsAs: 'text' | 'bytes' | null;
  /** Of a varchar(n), else null. */
  readonly maxCharacters: number | null;
  readonly notNull: boolean;
  readonly isGenerated: boolean;
  readonly isInForeignKey: boolean;
  readonly isInCheck: boolean;
  readonly feedsGenerated: boolean;
  readonly isInPartitionKey: boolean;
  readonly isUnique: boolean;
  readonly isInExclusion: boolean;
  /** Indexes that mention it in an expression or a condition. */
  readonly indexes: readonly string[];
}

/** A unique key without conditions and expressions, its columns in order. */
export interface PostgresKey {
  readonly isPrimary: boolean;
  readonly columns: readonly string[];
}

/** The name in SQL, in its schema whatever the search_path is. */
export function sqlName({ schema, table }: Pick<PostgresRelation, 'schema' | 'table'>): string {
  return `${quoteName(schema)}.${quoteName(table)}`;
}

/** `table` where that finds it, else `schema.table`; a part with a dot or a quote in it stands in quotes, as in SQL. */
export function declaredName({ schema, table, isVisible }: PostgresRelation): string {
  const part = (name: string) => (/[."]/.test(name) ? quoteName(name) : name);
  return isVisible ? part(table) : `${part(schema)}.${part(table)}`;
}

const PART = '"(?:[^"]|"")+"|[^".]+';
const DECLARED_NAME = new RegExp(`^(?:(${PART})\\.)?(${PART})$`, 's');

/** What {@link declaredName} makes; anything else is a table's plain name, whatever stands in it. */
export function parseDeclaredName(name: string): { schema: string | null; table: string } {
  const unquote = (part: string) => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part);
  const [, schema, table] = DECLARED_NAME.exec(name) ?? [];
  if (table === undefined) return { schema: null, table: name };
  return { schema: schema === undefined ? null : unquote(schema), table: unquote(table) };
}

const RELATION = `c.oid::text AS oid, n.nspname AS schema, c.relname AS "table", c.relkind AS kind, c.relispartition AS "isPartition",
  coalesce(c.oid = (SELECT v.oid FROM pg_class v JOIN pg_namespace s ON s.oid = v.relnamespace
    WHERE v.relname = c.relname AND s.nspname = ANY (current_schemas(false))
    ORDER BY array_position(current_schemas(false), s.nspname) LIMIT 1), false) AS "isVisible"`;

/** The relation that a declared name means, or null. The service's own tables are none, and its schema comes last. */
export async function findRelation(
  query: PostgresQuery,
  name: string,
  serviceSchema: string,
): Promise<PostgresRelation | null> {
  const { schema, table } = parseDeclaredName(name);
  const rows = await query(
    `SELECT ${RELATION} FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
       AND CASE WHEN $2::text IS NULL THEN n.nspname = ANY (current_schemas(false)) ELSE n.nspname = $2 END
     ORDER BY array_position(current_schemas(false), n.nspname)`,
    [table, schema],
  );
  const others = (rows as unknown as PostgresRelation[]).filter(
    (relation) => relation.schema !== serviceSchema || !isOwnTable(relation.table),
  );
  return others.find((relation) => relation.schema !== serviceSchema) ?? others[0] ?? null;
}

/** Every ordinary and partitioned table of the database, without partitions and PostgreSQL's own; for a scan. */
export async function readRelations(query: PostgresQuery): Promise<PostgresRelation[]> {
  const rows = await query(
    `SELECT ${RELATION} FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
       AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
       AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
     ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`,
  );
  return rows as unknown as PostgresRelation[];
}

/** The partitions of a partitioned table, and theirs, that hold rows. */
export async function readLeaves(query: PostgresQuery, oid: string): Promise<PostgresRelation[]> {
  const rows = await query(
    `SELECT ${RELATION} FROM pg_partition_tree($1::oid::regclass) t JOIN pg_class c ON c.oid = t.relid
       JOIN pg_namespace n ON n.oid = c.relnamespace WHERE t.isleaf AND c.relkind <> 'p'
     ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`,
    [oid],
  );
  return rows as unknown as PostgresRelation[];
}

/** Tables that inherit from this one without being its partitions. */
export async function readHeirs(query: PostgresQuery, oid: string): Promise<string[]> {
  const rows = await query(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = $1::oid AND NOT c.relispartition ORDER BY c.relname COLLATE "C"`,
    [oid],
  );
  return rows.map(({ name }) => String(name));
}

/** Whether the user of the connection sees only some of the rows. */
export async function isUnderRowSecurity(query: PostgresQuery, oid: string): Promise<boolean> {
  const [row] = await query('SELECT row_security_active($1::oid) AS active', [oid]);
  return row?.['active'] === true;
}

/** What an object that depends on the column says of it: `pg_depend` names the columns of every expression. */
const MENTIONED = `d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum`;
const KEY_PART = `a.attnum = ANY ((x.indkey::int2[])[0:x.indnkeyatts - 1])`;

/** The columns in their order. */
export async function readPostgresColumns(query: PostgresQuery, oid: string): Promise<PostgresColumn[]> {
  const rows = await query(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS "shownType", format_type(a.atttypid, -1) AS "castType",
       a.atttypid IN ('text'::regtype, 'varchar'::regtype) AS "isText",
       a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AS "isInteger",
       CASE WHEN b.oid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'oid'::regtype, 'numeric'::regtype, 'text'::regtype,
           'varchar'::regtype, 'name'::regtype, 'uuid'::regtype) OR b.typtype = 'e' OR b.typname = 'citext' THEN 'text'
         WHEN a.atttypid = 'bytea'::regtype THEN 'bytes' END AS "bindsAs",
       CASE WHEN a.atttypid = 'varchar'::regtype AND a.atttypmod > 4 THEN a.atttypmod - 4 END AS "maxCharacters",
       a.attnotnull AS "notNull", a.attgenerated <> '' AS "isGenerated",
       EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND (k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey)
         OR k.confrelid = a.attrelid AND a.attnum = ANY (k.confkey))) AS "isInForeignKey",
       EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'c' AND k.conrelid = a.attrelid
         AND (a.attnum = ANY (k.conkey) OR 0 = ANY (k.conkey))) AS "isInCheck",
       EXISTS (SELECT FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
         JOIN pg_attribute g ON g.attrelid = f.adrelid AND g.attnum = f.adnum
         WHERE d.classid = 'pg_attrdef'::regclass AND ${MENTIONED} AND g.attgenerated <> '' AND g.attnum <> a.attnum) AS "feedsGenerated",
       EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = a.attrelid AND d.objsubid = a.attnum
         AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = 0 AND d.deptype = 'i') AS "isInPartitionKey",
       EXISTS (SELECT FROM pg_index x WHERE x.indrelid = a.attrelid AND x.indisunique AND ${KEY_PART}) AS "isUnique",
       EXISTS (SELECT FROM pg_index x WHERE x.indrelid = a.attrelid AND x.indisexclusion AND ${KEY_PART}) AS "isInExclusion",
       ARRAY (SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
         WHERE x.indrelid = a.attrelid AND (x.indexprs IS NOT NULL OR x.indpred IS NOT NULL) AND NOT ${KEY_PART}
           AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = x.indexrelid AND ${MENTIONED})
         ORDER BY i.relname COLLATE "C") AS indexes
     FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid JOIN pg_type b ON b.oid = coalesce(nullif(y.typbasetype, 0), y.oid)
     WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [oid],
  );
  return rows as unknown as PostgresColumn[];
}

/**
 * The keys that a walk can go by: the primary key, and unique ones of NOT NULL columns, compared as the columns
 * themselves are (under a stricter collation than the column's, two keys could be one to the walk).
 */
export async function readKeys(query: PostgresQuery, oid: string): Promise<PostgresKey[]> {
  const rows = await query(
    `SELECT x.indisprimary AS "isPrimary", array_agg(a.attname::text ORDER BY p.place) AS columns
     FROM pg_index x CROSS JOIN LATERAL generate_series(0, x.indnkeyatts - 1) AS p (place)
       JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[p.place]
     WHERE x.indrelid = $1::oid AND x.indisunique AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL
     GROUP BY x.indexrelid, x.indisprimary
     HAVING x.indisprimary OR bool_and(a.attnotnull AND a.attcollation = x.indcollation[p.place]
       AND (SELECT o.opcdefault FROM pg_opclass o WHERE o.oid = x.indclass[p.place]))
     ORDER BY x.indisprimary DESC, x.indexrelid`,
    [oid],
  );
  return rows as unknown as PostgresKey[];
}

/** The triggers and rules of the table that an update of the columns sets off. */
export async function readPostgresTriggers(
  query: PostgresQuery,
  oid: string,
  columns: readonly string[],
): Promise<string[]> {
  // tgtype's bit 4: UPDATE. `D` is switched off, `R` fires on replicas only.
  const rows = await query(
    `SELECT t.tgname AS name FROM pg_trigger t WHERE t.tgrelid = $1::oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
       AND t.tgtype & 16 <> 0 AND (cardinality(t.tgattr::int2[]) = 0 OR EXISTS (SELECT FROM pg_attribute a
         WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr::int2[]) AND a.attname = ANY ($2::text[])))
     UNION ALL SELECT r.rulename FROM pg_rewrite r WHERE r.ev_class = $1::oid AND r.ev_type = '2' AND r.ev_enabled IN ('O', 'A')
     ORDER BY name`,
    [oid, columns],
  );
  return rows.map(({ name }) => String(name));
}
