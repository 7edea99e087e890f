/** A project whose commands are real processes, and an application beside them in the test's: the same on both databases. */
import type { ChildProcess } from 'node:child_process';
import Database from 'better-sqlite3';
import { databaseProvider, type Keyring, openKeyring } from 'fieldseal';
import { withPostgresProject } from '../with-postgres-database.js';
import { type CommandResult, type Project, type ProjectOptions, withProject } from '../with-project.js';
import type { AppRow } from './with-fields.js';

export interface FieldsProject {
  readonly project: Project;
  fieldseal(...args: string[]): Promise<CommandResult>;
  spawn(...args: string[]): ChildProcess;
  /** Runs a statement on the application's connection; parameters stand as `?`. */
  query(sql: string, ...parameters: readonly unknown[]): Promise<AppRow[]>;
  /** The stored keyring as an application opens it; closed at the end. */
  keyring(): Promise<Keyring>;
  /** What stands before the names of the service's own tables. */
  readonly own: string;
}

type All = (sql: string, parameters: readonly unknown[]) => Promise<AppRow[]>;

async function withApplication<T>(
  dialect: 'sqlite' | 'postgres',
  all: All,
  commands: Pick<FieldsProject, 'project' | 'fieldseal' | 'spawn'>,
  work: (place: FieldsProject) => Promise<T>,
): Promise<T> {
  const open: Keyring[] = [];
  try {
    return await work({
      ...commands,
      own: dialect === 'sqlite' ? '' : 'fieldseal.',
      query(sql, ...parameters) {
        let i = 0;
        return all(dialect === 'sqlite' ? sql : sql.replaceAll('?', () => `$${++i}`), parameters);
      },
      async keyring() {
        const query = (sql: string, parameters: readonly unknown[]) => all(sql, parameters);
        const provider = databaseProvider({ dialect, query, rootKey: commands.project.key });
        const keyring = await openKeyring(provider, { refreshSeconds: 0.05 });
        open.push(keyring);
        return keyring;
      },
    });
  } finally {
    for (const keyring of open) await keyring.close();
  }
}

/** Runs `work` with a new project. */
export type WithFieldsProject = <T>(options: ProjectOptions, work: (place: FieldsProject) => Promise<T>) => Promise<T>;

const onSqlite: WithFieldsProject = (options, work) =>
  withProject(options, async (project) => {
    const db = new Database(project.file, { timeout: 20_000 });
    const all: All = async (sql, parameters) => {
      const statement = db.prepare<unknown[], AppRow>(sql);
      if (statement.reader) return statement.all(...parameters);
      statement.run(...parameters);
      return [];
    };
    try {
      const { fieldseal, spawn } = project;
      return await withApplication('sqlite', all, { project, fieldseal, spawn }, work);
    } finally {
      db.close();
    }
  });

const onPostgres: WithFieldsProject = (options, work) =>
  withPostgresProject(options, ({ project, fieldseal, spawn, client }) => {
    const all: All = async (sql, parameters) => (await client.query<AppRow>(sql, [...parameters])).rows;
    return withApplication('postgres', all, { project, fieldseal, spawn }, work);
  });

/** For `describe.each`. */
export const FIELDS_PROJECTS = [
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
] as const;
