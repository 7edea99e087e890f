/** A PostgreSQL database of a test's own, and a project folder whose commands work on it. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import {
  type CommandOptions,
  type CommandResult,
  type Project,
  type ProjectOptions,
  withProject,
} from './with-project.ts';

/** One database. */
export interface PostgresDatabase {
  readonly url: string;
  /** An open connection of the test's own: the application. */
  readonly client: pg.Client;
  /** Rows of one statement, as arrays. */
  rows(sql: string, parameters?: unknown[]): Promise<unknown[][]>;
  /** Another connection, closed at the end. */
  connect(): Promise<pg.Client>;
}

/** Runs `work` in a new database made by `sql`, and drops it afterwards. */
export async function withPostgresDatabase<T>(
  sql: string,
  work: (database: PostgresDatabase) => Promise<T>,
  serverUrl = inject('postgresUrl'),
): Promise<T> {
  const onServer = async (statement: string) => {
    const server = new pg.Client({ connectionString: serverUrl });
    await server.connect();
    await server.query(statement).finally(() => server.end());
  };
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const clients: pg.Client[] = [];
  const connect = async () => {
    const client = new pg.Client({ connectionString: url.href });
    // Dropping the database cuts what a test has left open.
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
  try {
    await onServer(`CREATE DATABASE ${name}`);
    const client = await connect();
    await client.query(sql);
    return await work({
      url: url.href,
      client,
      connect,
      rows: async (text, values = []) => (await client.query<unknown[]>({ text, values, rowMode: 'array' })).rows,
    });
  } finally {
    for (const client of clients) await client.end().catch(() => undefined);
    await onServer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }
}

/** A project on PostgreSQL: `sql` makes the database, `config` is the declaration. */
export interface PostgresProject extends PostgresDatabase {
  readonly project: Project;
  /** Runs a command on the database to its end. */
  fieldseal(...args: string[] | [...string[], CommandOptions]): Promise<CommandResult>;
  /** Starts a command on the database. */
  spawn(...args: string[]): ReturnType<Project['spawn']>;
}

export function withPostgresProject<T>(
  { sql = '', config = null }: ProjectOptions,
  work: (project: PostgresProject) => Promise<T>,
): Promise<T> {
  return withPostgresDatabase(sql ?? '', (database) =>
    withProject({ sql: null, config }, (project) => {
      const env = { DATABASE_URL: database.url };
      return work({
        ...database,
        project,
        fieldseal: (...args) => {
          const mixed: (string | CommandOptions)[] = args;
          const argv = mixed.filter((arg) => typeof arg === 'string');
          const options = mixed.find((arg) => typeof arg === 'object');
          return project.fieldseal(...argv, { ...options, env: { ...env, ...options?.env } });
        },
        spawn: (...args) => project.spawn(...args, { env }),
      });
    }),
  );
}
