/** A database with declared tables, its sweeps in the test's own process, and an application beside them: the same on both. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import {
  databaseProvider,
  databaseSubjects,
  Fernet,
  type Keyring,
  type Model,
  openKeyring,
  openSubjectKeys,
  type SubjectKeys,
  subjectRootFile,
  Table,
  takeEnvironmentKeys,
} from 'fieldseal';
import { type DatabaseTarget, parseDatabaseUrl } from '../../src/store/database-url.js';
import type { RunKind } from '../../src/store/store.js';
import type { SweepReport } from '../../src/sweep/sweep-report.js';
import type { Dependencies, Notice } from '../../src/usecases/dependencies.js';
import type { SweepOptions } from '../../src/usecases/drive-run.js';
import { eraseSubject } from '../../src/usecases/erase-subject.js';
import { indexTables } from '../../src/usecases/index-tables.js';
import { rotateKeys } from '../../src/usecases/rotate-keys.js';
import { openSubjectReach } from '../../src/usecases/subject-reach.js';
import { sweepTables } from '../../src/usecases/sweep-tables.js';
import { withPostgresDatabase } from '../with-postgres-database.js';

/** A row as the application's driver returns it. */
// biome-ignore lint/suspicious/noExplicitAny: tests compare rows with what they expect
export type AppRow = Record<string, any>;

export interface RunOptions extends Partial<SweepOptions> {
  /** For `index`. */
  readonly rotate?: boolean;
  /** Stops the sweep, as by a signal, once it has done something in that pass. */
  readonly stopInPass?: number;
  /** Stops the sweep as a signal to its process would. */
  readonly stop?: AbortSignal;
  /** Called with everything that the command would print on its way. */
  readonly onNotice?: (notice: Notice) => void;
}

/** One database. */
export interface FieldsDatabase {
  readonly dialect: 'sqlite' | 'postgres';
  /** Runs a statement on the application's connection; parameters stand as `?`. */
  query(sql: string, ...parameters: readonly unknown[]): Promise<AppRow[]>;
  /** Inserts rows as objects, all with the same columns. */
  insert(table: string, rows: readonly AppRow[]): Promise<void>;
  /** Sets columns of the rows for which `where` holds. */
  update(table: string, set: AppRow, where: AppRow): Promise<void>;
  /** Runs a sweep to its end. */
  run(kind: RunKind, model: Model, options?: RunOptions): Promise<SweepReport>;
  erase(subject: string, model: Model, tenant?: string): Promise<unknown>;
  /** `column: primary key: reason` of what a run could not read, sorted. */
  failures(run: number | null): Promise<string[]>;
  /** A new application: its keyring, closed at the end. Refreshed by `refresh` alone. */
  application(): Promise<Application>;
}

/** What an application process has open. */
export interface Application {
  readonly keyring: Keyring;
  readonly subjects: SubjectKeys;
  table(model: Model, name?: string): Table;
}

interface Connection {
  readonly target: DatabaseTarget;
  all(sql: string, parameters: readonly unknown[]): Promise<AppRow[]>;
}

async function withDatabase<T>(
  { target, all }: Connection,
  folder: string,
  work: (database: FieldsDatabase) => Promise<T>,
): Promise<T> {
  const key = Fernet.generateKey();
  const rootPath = join(folder, 'subject-root');
  await writeFile(rootPath, Fernet.generateKey(), { mode: 0o600 });
  const closing: (() => Promise<void>)[] = [];
  const { dialect } = target;
  const marked = (sql: string) => {
    let i = 0;
    return dialect === 'sqlite' ? sql : sql.replaceAll('?', () => `$${++i}`);
  };
  const query: FieldsDatabase['query'] = (sql, ...parameters) => all(marked(sql), parameters);
  const name = (column: string) => `"${column}"`;
  const depsOf = (model: Model, { stopInPass, onNotice, stop: given }: RunOptions): Dependencies => {
    const stop = new AbortController();
    return {
      target,
      schema: 'fieldseal',
      keys: takeEnvironmentKeys({ ENCRYPTION_KEY: key }),
      subjectRootFile: rootPath,
      loadConfig: async () => ({ keys: 'stored', model }),
      driver: { owner: 'test', isGone: () => false },
      stop: given ?? stop.signal,
      notify(notice) {
        onNotice?.(notice);
        if (notice.type === 'progress' && notice.pass === stopInPass && notice.done > 0) stop.abort();
      },
    };
  };
  const database: FieldsDatabase = {
    dialect,
    query,
    async insert(table, rows) {
      const columns = Object.keys(rows[0] as AppRow);
      const marks = `(${columns.map(() => '?').join(', ')})`;
      for (let first = 0; first < rows.length; first += 200) {
        const some = rows.slice(first, first + 200);
        const values = some.flatMap((row) => columns.map((column) => row[column]));
        const sql = `INSERT INTO ${table} (${columns.map(name).join(', ')}) VALUES ${some.map(() => marks).join(', ')}`;
        await query(sql, ...values);
      }
    },
    async update(table, set, where) {
      const list = (row: AppRow, separator: string) =>
        Object.keys(row)
          .map((column) => `${name(column)} = ?`)
          .join(separator);
      const sql = `UPDATE ${table} SET ${list(set, ', ')} WHERE ${list(where, ' AND ')}`;
      await query(sql, ...Object.values(set), ...Object.values(where));
    },
    run(kind, model, options = {}) {
      const deps = depsOf(model, options);
      const sweep = { dryRun: false, maxRowsPerSecond: null, allowTriggers: false, ...options };
      if (kind === 'rotate') return rotateKeys(deps, { ...sweep, given: null });
      if (kind === 'index') return indexTables(deps, { ...sweep, rotate: options.rotate ?? false });
      return sweepTables(deps, kind, sweep);
    },
    erase(subject, model, tenant) {
      const deps = depsOf(model, {});
      return eraseSubject(
        { ...deps, openReach: () => openSubjectReach(deps) },
        { subject, tenant: tenant ?? null, dryRun: false, abandonUnreadable: false },
      );
    },
    async failures(run) {
      const own = dialect === 'sqlite' ? '' : 'fieldseal.';
      const sql = `SELECT column_name AS c, primary_key AS k, reason AS r FROM ${own}sweep_failures WHERE run_id = ?`;
      return (await query(sql, run)).map(({ c, k, r }) => `${c}: ${k}: ${r}`).toSorted();
    },
    async application() {
      const providing = { dialect, query: (sql: string, parameters: readonly unknown[]) => all(sql, parameters) };
      const keyring = await openKeyring(databaseProvider({ ...providing, rootKey: key }), { refreshSeconds: 0.05 });
      closing.push(() => keyring.close());
      const subjects = await openSubjectKeys(databaseSubjects({ ...providing, root: subjectRootFile(rootPath) }));
      closing.push(() => subjects.close());
      return {
        keyring,
        subjects,
        table: (model, table = 't') => new Table(model, table, keyring, { subjects }),
      };
    },
  };
  try {
    return await work(database);
  } finally {
    for (const close of closing) await close();
  }
}

/** Runs `work` with a new database made by `sql`. */
export type WithFields = <T>(
  sql: { readonly sqlite: string; readonly postgres: string },
  work: (database: FieldsDatabase) => Promise<T>,
) => Promise<T>;

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fieldseal-fields-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const FIELDS_ON_SQLITE: WithFields = ({ sqlite }, work) =>
  withFolder(async (folder) => {
    const file = join(folder, 'app.db');
    const db = new Database(file).exec(sqlite);
    try {
      const all = async (sql: string, parameters: readonly unknown[]) => {
        const statement = db.prepare<unknown[], AppRow>(sql);
        if (statement.reader) return statement.all(...parameters);
        statement.run(...parameters);
        return [];
      };
      return await withDatabase({ target: { dialect: 'sqlite', file }, all }, folder, work);
    } finally {
      db.close();
    }
  });

export const FIELDS_ON_POSTGRES: WithFields = ({ postgres }, work) =>
  withFolder((folder) =>
    withPostgresDatabase(postgres, ({ url, client }) => {
      const all = async (sql: string, parameters: readonly unknown[]) =>
        (await client.query<AppRow>(sql, [...parameters])).rows;
      return withDatabase({ target: parseDatabaseUrl(url), all }, folder, work);
    }),
  );

/** For `describe.each`. */
export const FIELDS_DATABASES = [
  ['SQLite', FIELDS_ON_SQLITE],
  ['PostgreSQL', FIELDS_ON_POSTGRES],
] as const;
