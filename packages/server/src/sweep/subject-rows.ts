/** The rows of one subject in a declared table: looked at, and their index columns emptied. */
import type Database from 'better-sqlite3';
import type { Stored, SubjectName } from 'fieldseal';
import { databaseError } from '../store/database-error.js';
import { findRelation, sqlName } from './postgres-catalogue.js';
import type { PostgresSession } from './postgres-session.js';
import { quoteName } from './sql-tokens.js';

/** A declared table with the columns that name its rows' subject and tenant. */
export interface SubjectTable {
  readonly name: string;
  readonly subject: string;
  readonly tenant: string | null;
}

/** What an erasure asks of a database. */
export interface SubjectRows {
  /** The values of some columns in the subject's rows; null: NULL, or nothing that a token could be. */
  read(table: SubjectTable, columns: readonly string[], name: SubjectName): Promise<(Stored | null)[][]>;
  /** Empties a column in the subject's rows; how many had something in it. */
  clear(table: SubjectTable, column: string, name: SubjectName): Promise<number>;
  close(): Promise<void>;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** SQL for "these are the subject's rows": as the text that values are bound to, a UUID in either case. */
function condition(
  { subject, tenant }: SubjectTable,
  name: SubjectName,
  text: (column: string) => string,
  parameter: (i: number) => string,
): { readonly sql: string; readonly parameters: readonly string[] } {
  const parts = [
    { column: subject, value: name.subject },
    ...(tenant === null ? [] : [{ column: tenant, value: name.tenant }]),
  ];
  const sql = parts.map(({ column, value }, i) => {
    const shown = text(column);
    return `${UUID.test(value) ? `lower(${shown})` : shown} = ${parameter(i + 1)}`;
  });
  return { sql: sql.join(' AND '), parameters: parts.map(({ value }) => value) };
}

/** A whole number is bound to as `42`, also where a REAL column keeps it as 42.0. */
function sqliteText(column: string): string {
  const whole = `CAST(${column} AS INTEGER)`;
  return `CAST(iif(typeof(${column}) = 'real' AND ${column} = ${whole}, ${whole}, ${column}) AS TEXT)`;
}

/** Over an open file, which it closes. `name` is what messages call it. */
export function sqliteSubjectRows(db: Database.Database, name: string): SubjectRows {
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw databaseError(error, name);
    }
  };
  const where = (table: SubjectTable, subject: SubjectName) =>
    condition(
      table,
      subject,
      (column) => sqliteText(quoteName(column)),
      () => '? COLLATE BINARY',
    );
  return {
    async read(table, columns, subject) {
      const { sql, parameters } = where(table, subject);
      const select = `SELECT ${columns.map(quoteName).join(', ')} FROM ${quoteName(table.name)} WHERE ${sql}`;
      const rows = guarded(
        () =>
          db
            .prepare(select)
            .raw(true)
            .all(...parameters) as unknown[][],
      );
      return rows.map((cells) =>
        cells.map((cell) => (typeof cell === 'string' || cell instanceof Uint8Array ? cell : null)),
      );
    },
    async clear(table, column, subject) {
      const { sql, parameters } = where(table, subject);
      const update = `UPDATE ${quoteName(table.name)} SET ${quoteName(column)} = NULL WHERE ${sql} AND ${quoteName(column)} IS NOT NULL`;
      return guarded(() => db.prepare(update).run(...parameters).changes);
    },
    close: async () => void db.close(),
  };
}

/** Over an open session, which it closes. */
export function postgresSubjectRows(session: PostgresSession, serviceSchema: string): SubjectRows {
  const where = (table: SubjectTable, subject: SubjectName) =>
    condition(
      table,
      subject,
      (column) => `t.${quoteName(column)}::text`,
      (i) => `$${i} COLLATE "C"`,
    );
  const nameOf = async ({ name }: SubjectTable): Promise<string> => {
    const relation = await findRelation(session.query.bind(session), name, serviceSchema);
    return relation ? sqlName(relation) : quoteName(name);
  };
  return {
    async read(table, columns, subject) {
      const { sql, parameters } = where(table, subject);
      const select = columns.map((column, i) => `t.${quoteName(column)} AS v${i}`).join(', ');
      const rows = await session.queryAtLength(
        `SELECT ${select} FROM ${await nameOf(table)} AS t WHERE ${sql}`,
        parameters,
      );
      return rows.map((row) => columns.map((_, i) => storedIn(row[`v${i}`])));
    },
    async clear(table, column, subject) {
      const { sql, parameters } = where(table, subject);
      const name = quoteName(column);
      const rows = await session.queryAtLength(
        `WITH u AS (UPDATE ${await nameOf(table)} AS t SET ${name} = NULL WHERE ${sql} AND t.${name} IS NOT NULL RETURNING 1)
         SELECT count(*) AS n FROM u`,
        parameters,
      );
      return Number(rows[0]?.['n']);
    },
    close: () => session.close(),
  };
}

/** `bytea` comes as its bytes, or as the hex text of the session's settings. */
function storedIn(value: unknown): Stored | null {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'string') return null;
  return /^\\x([0-9a-f]{2})+$/.test(value) ? Buffer.from(value.slice(2), 'hex') : value;
}
