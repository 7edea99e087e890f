/** Two swept tables: `people`, on whose rows an application works all the while, and `archive`, which nobody else touches. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { databaseProvider, EncryptionService, openKeyring } from 'fieldseal';
import pg from 'pg';
import { expect } from 'vitest';
import { onSqlite, type Place } from '../test/http/with-service.ts';
import { rangesOfNewest, rotatedIn } from '../test/sweep/ranges-of.js';
import { withPostgresProject } from '../test/with-postgres-database.ts';
import { type CommandResult, configText, type JsonLine, type Project, withProject } from '../test/with-project.ts';
import { Rotation } from './rotation.ts';
import { type Writer, type Written, withWriter } from './writer.ts';

export const CONFIG = configText(`
  people: { primaryKey: 'id', columns: { phone: encryptedString({ alsoReads: ['plaintext'] }), email: encryptedString({ alsoReads: ['plaintext'] }) } },
  archive: { primaryKey: 'id', columns: { note: encryptedString({ alsoReads: ['plaintext'] }) } },`);

/** `rows` of each, numbered from 1; every tenth person has no e-mail address. */
export const peopleSql = (rows: number) => `
  CREATE TABLE people (id INTEGER PRIMARY KEY, phone TEXT NOT NULL, email TEXT);
  CREATE TABLE archive (id INTEGER PRIMARY KEY, note TEXT NOT NULL);
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
  INSERT INTO people SELECT i, '+82-10-' || i, CASE WHEN i % 10 = 0 THEN NULL ELSE 'user' || i || '@example.com' END FROM n;
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
  INSERT INTO archive SELECT i, 'note ' || i FROM n;`;

const onPostgres: Place = ({ sql = '', config = null }, work) =>
  withPostgresProject({ sql, config }, ({ project, url }) => work(project, { DATABASE_URL: url }));

export const PLACES = [
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
] as const;

/** A PostgreSQL server that the test has to itself. */
export const onServer =
  (url: string): Place =>
  ({ sql = '', config = null }, work) =>
    withProject({ sql: null, config }, async (project) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(sql ?? '');
      await client.end();
      return work(project, { DATABASE_URL: url });
    });

type Row = Record<string, unknown>;

/** Where the newest rotation stands. */
export interface Checkpoint {
  readonly run: number;
  readonly status: string;
  readonly pass: number;
  readonly rotated: number;
  readonly table: string | null;
  readonly cursor: string | null;
}

/** The tables of one project, encrypted, with the writer beside them. */
export class People {
  readonly project: Project;
  readonly rows: number;
  readonly writer: Writer;
  readonly #env: Readonly<Record<string, string>>;
  readonly #isSqlite: boolean;

  constructor(project: Project, env: Readonly<Record<string, string>>, rows: number, writer: Writer) {
    this.project = project;
    this.rows = rows;
    this.writer = writer;
    this.#env = env;
    this.#isSqlite = env['DATABASE_URL'] === 'sqlite:app.db';
  }

  command(...args: string[]): Promise<CommandResult> {
    return this.project.fieldseal(...args, '--json', { env: this.#env });
  }

  /** @param rowsPerSecond gives faults time to hit; null: as fast as it goes */
  rotate(rowsPerSecond: number | null): Rotation {
    const limit = rowsPerSecond === null ? [] : ['--max-rows-per-second', String(rowsPerSecond)];
    return new Rotation(this.project.spawn('rotate', '--json', ...limit, { env: this.#env }));
  }

  /** A process that takes part in whatever run there is. */
  worker(): ChildProcess {
    return this.project.spawn('worker', '--json', { env: this.#env });
  }

  /** Asks on a connection of its own, since the server may have been away; `OWN.` stands before the service's tables. */
  async ask(sql: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    const text = sql.replaceAll('OWN.', this.#isSqlite ? '' : 'fieldseal.');
    if (this.#isSqlite) {
      const db = new Database(this.project.file, { timeout: 20_000 });
      try {
        return db.prepare<unknown[], Row>(text).all(...parameters);
      } finally {
        db.close();
      }
    }
    const client = new pg.Client({ connectionString: this.#env['DATABASE_URL'] });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(text, [...parameters])).rows;
    } finally {
      await client.end();
    }
  }

  async checkpoint(): Promise<Checkpoint | null> {
    const [run] = await this.ask(
      `SELECT id, rotation_status AS status, pass
       FROM OWN.encryption_key_rotations WHERE kind = 'rotate' ORDER BY id DESC LIMIT 1`,
    );
    if (!run) return null;
    const rotated = rotatedIn(await this.ask(rangesOfNewest('OWN.')));
    const [range] = await this.ask(
      `SELECT table_name, cursor FROM OWN.sweep_ranges WHERE run_id = ${run['id']} AND cursor IS NOT NULL ORDER BY id DESC LIMIT 1`,
    );
    return {
      ...{ run: Number(run['id']), status: String(run['status']) },
      ...{ pass: Number(run['pass']), rotated },
      table: (range?.['table_name'] ?? null) as string | null,
      cursor: (range?.['cursor'] ?? null) as string | null,
    };
  }

  /** Returns when the newest run's lease is over, by the clock that database and test share. */
  async leaseIsOver(): Promise<void> {
    const lease = "SELECT lease_until FROM OWN.encryption_key_rotations WHERE kind = 'rotate' ORDER BY id DESC LIMIT 1";
    while (Number((await this.ask(lease))[0]?.['lease_until']) > Date.now()) await setTimeout(100);
  }

  /** Everything that a rotation writes. */
  async everything(): Promise<unknown> {
    const tables = ['people', 'archive', 'OWN.encryption_key_rotations', 'OWN.sweep_ranges', 'OWN.encryption_keys'];
    return Promise.all(tables.map((table) => this.ask(`SELECT * FROM ${table} ORDER BY 1, 2`)));
  }

  /** That a rotation reached its end, left nothing out, and counted nothing twice. */
  assertCounted(report: JsonLine): void {
    const { newKeyVersion, counts, columns } = report;
    expect(report).toMatchObject({ status: 'completed', left: 0, failures: [], counts: { skipped: 0, failed: 0 } });
    expect(counts.total).toBe(counts.rotated + counts.current);
    expect(columns.find(({ table }: JsonLine) => table === 'archive')).toMatchObject({
      ...{ total: this.rows, rotated: this.rows, current: 0, skipped: 0, failed: 0 },
      held: { [newKeyVersion]: this.rows },
    });
    for (const { held } of columns) expect(Object.keys(held)).toEqual([newKeyVersion]);
  }

  /** That every value opens, the last acknowledged writes are there, and `verify` finds all of it under the new key. */
  async assertWhole(newKeyVersion: string, { last }: Written): Promise<void> {
    const people = await this.ask('SELECT * FROM people');
    const archive = await this.ask('SELECT * FROM archive');
    const { exitCode, last: verified } = await this.command('verify');
    expect([exitCode, verified.status, verified.counts.failed]).toEqual([0, 'completed', 0]);
    const held = (count: number) => ({ total: count, held: { [newKeyVersion]: count } });
    expect(verified.columns).toMatchObject([
      { column: 'phone', ...held(people.length) },
      { column: 'email', ...held(people.filter(({ email }) => email !== null).length) },
      { column: 'note', ...held(this.rows) },
    ]);

    const dialect = this.#isSqlite ? 'sqlite' : 'postgres';
    const query = (sql: string, parameters: readonly unknown[]) => this.ask(sql, parameters);
    const keyring = await openKeyring(databaseProvider({ dialect, query, rootKey: this.project.key }));
    const service = new EncryptionService(keyring);
    const open = (token: unknown) => service.decryptField(token as string | null);
    expect(archive).toHaveLength(this.rows);
    for (const { id, note } of archive) expect(open(note)).toBe(`note ${id}`);
    const stored = new Map(people.map(({ id, phone, email }) => [id as number, [open(phone), open(email)]]));
    const initial = (id: number) => [`+82-10-${id}`, id % 10 === 0 ? null : `user${id}@example.com`];
    const ids = new Set([...stored.keys(), ...last.keys(), ...Array.from({ length: this.rows }, (_, i) => i + 1)]);
    for (const id of ids) {
      const allowed = last.get(id) ?? [id <= this.rows && id > 0 ? initial(id)[0] : null];
      const rows = allowed.map((text) => (text === initial(id)[0] ? initial(id) : text && [text, text]));
      expect(rows).toContainEqual(stored.get(id) ?? null);
    }
    await keyring.close();
  }
}

/** Encrypts both tables of a project, and runs `work` beside the writer. */
export async function withPeople<T>(
  project: Project,
  env: Readonly<Record<string, string>>,
  rows: number,
  work: (people: People) => Promise<T>,
): Promise<T> {
  expect((await project.fieldseal('encrypt', { env })).exitCode).toBe(0);
  const url = env['DATABASE_URL'] === 'sqlite:app.db' ? `sqlite:${project.file}` : (env['DATABASE_URL'] as string);
  return withWriter({ DATABASE_URL: url, ENCRYPTION_KEY: project.key }, rows, (writer) =>
    work(new People(project, env, rows, writer)),
  );
}
