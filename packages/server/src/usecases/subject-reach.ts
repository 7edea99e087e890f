/** What an erasure has to do with the application's tables: it needs their declaration, and a port keeps it apart. */
import {
  type BlindIndex,
  type Field,
  type Model,
  type SchemeName,
  type Stored,
  type SubjectName,
  shapeOf,
  tableFields,
  tableIndexes,
} from 'fieldseal';
import { databaseName } from '../store/database-url.js';
import { openSqlite } from '../store/open-sqlite.js';
import { PostgresSession } from '../sweep/postgres-session.js';
import { postgresSubjectRows, type SubjectRows, type SubjectTable, sqliteSubjectRows } from '../sweep/subject-rows.js';
import type { Dependencies } from './dependencies.js';

/** Values of the subject in one column. */
export interface ReachedColumn {
  readonly table: string;
  readonly column: string;
  readonly values: number;
}

/** Rows of the subject in which an index column was, or would be, emptied. */
export interface ClearedIndex {
  readonly table: string;
  readonly column: string;
  readonly rows: number;
}

/** Values of the subject that an erasure does not reach. */
export interface RemainingColumn extends ReachedColumn {
  /** Why they can still be read, in a few words for people: `under a key that is not the subject’s`. */
  readonly what: string;
}

/** What the database holds of a subject. */
export interface SubjectFindings {
  /** Values that cannot be read any more once the subject is erased. */
  readonly reached: readonly ReachedColumn[];
  /** Blind indexes that hold something of the subject. */
  readonly indexes: readonly ClearedIndex[];
  readonly remains: readonly RemainingColumn[];
}

/** The application's tables as an erasure sees them. */
export interface SubjectReach {
  /** Looks, and writes nothing. */
  examine(subject: SubjectName): Promise<SubjectFindings>;
  /** Empties the subject's index columns, in transactions of its own, and says in how many rows. Done again it finds none. */
  clearIndexes(subject: SubjectName): Promise<ClearedIndex[]>;
  close(): Promise<void>;
}

const NOTHING: SubjectReach = {
  examine: async () => ({ reached: [], indexes: [], remains: [] }),
  clearIndexes: async () => [],
  close: async () => {},
};

/** A declared table with a subject, and its columns. */
interface ReachTable extends SubjectTable {
  readonly fields: readonly Field<unknown>[];
  readonly indexes: readonly BlindIndex[];
}

/** The tables of the subject: with a tenant where one is given, and without where none is. */
function reachTables(model: Model, { tenant }: SubjectName): ReachTable[] {
  return Object.entries(model.tables).flatMap(([name, declared]) => {
    if (declared.subject === undefined || (declared.tenant === undefined) !== (tenant === '')) return [];
    const fields = tableFields(name, declared);
    const indexes = tableIndexes(name, declared, fields).filter((index) => index.fields.some((f) => f.needsSubject));
    return [{ name, subject: declared.subject, tenant: declared.tenant ?? null, fields, indexes }];
  });
}

/** Why a value of that shape can still be read once the subject is erased. */
const REMAINS: Readonly<Record<Exclude<SchemeName, 'xaes-subject'>, string>> = {
  fernet: 'a fernet token, under the data keys alone',
  xaes: 'an xaes token, under the data keys alone',
  plaintext: 'plaintext',
};

function findingsIn({ name, fields }: ReachTable, rows: readonly (readonly (Stored | null)[])[]) {
  const counts = new Map<string, { field: Field<unknown>; shape: SchemeName; values: number }>();
  for (const row of rows) {
    for (const [i, field] of fields.entries()) {
      const stored = row[i] ?? null;
      if (stored === null) continue;
      const shape = shapeOf(stored);
      const key = `${i} ${shape}`;
      counts.set(key, { field, shape, values: (counts.get(key)?.values ?? 0) + 1 });
    }
  }
  const reached: ReachedColumn[] = [];
  const remains: RemainingColumn[] = [];
  for (const { field, shape, values } of counts.values()) {
    const found = { table: name, column: field.column, values };
    if (shape === 'xaes-subject') reached.push(found);
    else remains.push({ ...found, what: REMAINS[shape] });
  }
  return { reached, remains };
}

function reachOver(model: Model, rows: SubjectRows): SubjectReach {
  return {
    async examine(subject) {
      const findings: { reached: ReachedColumn[]; indexes: ClearedIndex[]; remains: RemainingColumn[] } = {
        reached: [],
        indexes: [],
        remains: [],
      };
      for (const table of reachTables(model, subject)) {
        const columns = [...table.fields, ...table.indexes].map(({ column }) => column);
        const found = await rows.read(table, columns, subject);
        const { reached, remains } = findingsIn(table, found);
        findings.reached.push(...reached);
        findings.remains.push(...remains);
        for (const [i, { column }] of table.indexes.entries()) {
          const filled = found.filter((row) => (row[table.fields.length + i] ?? null) !== null).length;
          if (filled > 0) findings.indexes.push({ table: table.name, column, rows: filled });
        }
      }
      return findings;
    },
    async clearIndexes(subject) {
      const cleared: ClearedIndex[] = [];
      for (const table of reachTables(model, subject)) {
        for (const { column } of table.indexes) {
          const changed = await rows.clear(table, column, subject);
          if (changed > 0) cleared.push({ table: table.name, column, rows: changed });
        }
      }
      return cleared;
    },
    close: () => rows.close(),
  };
}

/**
 * The declared tables of a database. Where there is no declaration, the secret is destroyed all the same, and with it every
 * value under it.
 */
export async function openSubjectReach(deps: Dependencies): Promise<SubjectReach> {
  const { target, schema } = deps;
  const config = await deps.loadConfig();
  if (!config) {
    deps.notify({
      type: 'warning',
      text: 'there is no fieldseal.config: no index is cleared, and what the erasure reaches is not counted',
    });
    return NOTHING;
  }
  const { model } = config;
  const name = databaseName(target);
  if (target.dialect === 'sqlite') {
    return reachOver(model, sqliteSubjectRows(openSqlite(target.file, { mustExist: true, readOnly: false }), name));
  }
  const session = await PostgresSession.open({ connectionString: target.connectionString, name, readOnly: false });
  return reachOver(model, postgresSubjectRows(session, schema));
}
