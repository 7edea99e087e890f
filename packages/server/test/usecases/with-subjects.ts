/** A database with subjects' keys in it, and the file of their root, on either database. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Fernet, openSubjectKeys, type SubjectKeys, subjectRootFile } from 'fieldseal';
import type { DatabaseTarget } from '../../src/store/database-url.js';
import { openStore } from '../../src/store/open-store.js';
import type { AuditRow, Store, SubjectRow } from '../../src/store/store.js';
import type { Notice } from '../../src/usecases/dependencies.js';
import {
  type EraseDependencies,
  type EraseReport,
  type EraseSubjectOptions,
  eraseSubject,
} from '../../src/usecases/erase-subject.js';
import { storeSubjects } from '../../src/usecases/store-subjects.js';
import { withPostgresSchema } from '../postgres.js';
import { bareDependencies, openNoReach } from './bare-dependencies.js';

/** One database and one root. */
export interface Subjects {
  readonly folder: string;
  readonly rootPath: string;
  readonly target: DatabaseTarget;
  readonly schema: string;
  readonly deps: EraseDependencies;
  readonly notices: Notice[];
  /** `NAME` in the folder. */
  path(name: string): string;
  store<T>(work: (store: Store) => Promise<T>): Promise<T>;
  /** Keys as an application opens them. */
  keys<T>(work: (keys: SubjectKeys) => Promise<T>): Promise<T>;
  /** Makes keys, and returns their secrets. */
  create(...ids: string[]): Promise<Secrets>;
  /** The secrets of subjects, or why there is none. */
  secrets(...ids: string[]): Promise<Secrets>;
  rows(): Promise<SubjectRow[]>;
  /** Puts back what `rows` gave, with the state of then: what a restore of a backup does. */
  restore(rows: readonly SubjectRow[], rootFingerprint: string): Promise<void>;
  erase(subject: string, options?: Partial<EraseSubjectOptions>): Promise<EraseReport>;
  audits(): Promise<AuditRow[]>;
  /** Fingerprints of the roots in the file. */
  roots(): string[];
  files(): string[];
}

/** Subject → secret in hex, or the code of the refusal. */
export type Secrets = Readonly<Record<string, string>>;

function codeOf(error: unknown): string {
  return (error as { code: string }).code;
}

async function withSubjectsOn<T>(
  target: DatabaseTarget,
  schema: string,
  execute: (sql: string) => Promise<unknown>,
  folder: string,
  work: (subjects: Subjects) => Promise<T>,
): Promise<T> {
  const rootPath = join(folder, 'root', 'subject-root');
  const notices: Notice[] = [];
  const deps: EraseDependencies = {
    ...bareDependencies({
      target,
      schema,
      subjectRootFile: rootPath,
      notify: (notice) => void notices.push(notice),
    }),
    openReach: openNoReach,
  };
  const subjects: Subjects = {
    folder,
    rootPath,
    target,
    schema,
    deps,
    notices,
    path: (name) => join(folder, name),
    async store(use) {
      const store = await openStore(target, { schema });
      try {
        return await use(store);
      } finally {
        await store.close();
      }
    },
    keys: (use) =>
      subjects.store(async (store) => {
        const keys = await openSubjectKeys(storeSubjects(store, subjectRootFile(rootPath)));
        try {
          return await use(keys);
        } finally {
          await keys.close();
        }
      }),
    async create(...ids) {
      await subjects.keys((keys) => keys.create(ids));
      return subjects.secrets(...ids);
    },
    secrets: (...ids) =>
      subjects.keys(async (keys) => {
        await keys.load(ids).catch(() => undefined);
        const entries = ids.map((id) => {
          try {
            return [id, keys.get('', id).secret.reveal().toString('hex')];
          } catch (error) {
            return [id, codeOf(error)];
          }
        });
        return Object.fromEntries(entries) as Secrets;
      }),
    rows: () => subjects.store((store) => store.subjects.page({ after: null, limit: 10_000 })),
    async restore(rows, rootFingerprint) {
      const prefix = target.dialect === 'postgres' ? `${schema}.` : '';
      await execute(`delete from ${prefix}subject_keys`);
      await execute(`delete from ${prefix}subject_state`);
      await subjects.store(async (store) => {
        await store.subjects.insert([], rootFingerprint);
        await store.subjects.put(rows);
      });
    },
    erase: (subject, options = {}) =>
      eraseSubject(deps, { subject, tenant: null, dryRun: false, abandonUnreadable: false, ...options }),
    audits: () => subjects.store((store) => store.audit.list({ limit: 100 })),
    roots: () =>
      subjectRootFile(rootPath)
        .read()
        .map(({ fingerprint }) => fingerprint),
    files: () => readdirSync(join(folder, 'root')),
  };
  return work(subjects);
}

/** Runs `work` with a new database and root. */
export type WithSubjects = <T>(work: (subjects: Subjects) => Promise<T>) => Promise<T>;

async function withRootFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'fieldseal-subjects-'));
  try {
    mkdirSync(join(folder, 'root'));
    writeFileSync(join(folder, 'root', 'subject-root'), `${Fernet.generateKey()}\n`, { mode: 0o600 });
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const ON_SQLITE: WithSubjects = (work) =>
  withRootFolder(async (folder) => {
    const file = join(folder, 'app.db');
    const execute = async (sql: string) => {
      const database = new Database(file);
      database.exec(sql);
      database.close();
    };
    await execute('create table customers (id integer primary key)');
    return withSubjectsOn({ dialect: 'sqlite', file }, 'fieldseal', execute, folder, work);
  });

export const ON_POSTGRES: WithSubjects = (work) =>
  withRootFolder((folder) =>
    withPostgresSchema(({ url, schema, client }) =>
      withSubjectsOn({ dialect: 'postgres', connectionString: url }, schema, (sql) => client.query(sql), folder, work),
    ),
  );

/** For `describe.each`. */
export const DATABASES = [
  ['SQLite', ON_SQLITE],
  ['PostgreSQL', ON_POSTGRES],
] as const;
