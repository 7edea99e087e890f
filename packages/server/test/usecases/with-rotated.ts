/** A project whose values were rotated from `v1` to `v2`, wrapped under a root key of its own. */
import type Database from 'better-sqlite3';
import { Fernet, Secret } from 'fieldseal';
import type { Dependencies, Notice } from '../../src/usecases/dependencies.js';
import { rotateKeys } from '../../src/usecases/rotate-keys.js';
import { sweepTables } from '../../src/usecases/sweep-tables.js';
import { type Project, type ProjectOptions, withProject } from '../with-project.js';
import { dependenciesOf } from './dependencies-of.js';

export const REALLY = { dryRun: false, maxRowsPerSecond: null, allowTriggers: false };
export const V1 = { version: 'v1', purpose: 'field' } as const;

/** A column with a blind index. */
export const INDEXED_SQL = `CREATE TABLE users (id INTEGER PRIMARY KEY, phone TEXT, phone_index TEXT);
  INSERT INTO users (id, phone) VALUES (1, '+1-555-0101'), (2, '+1-555-0102')`;
export const INDEXED_CONFIG = `import { blindIndex, codecs, defineConfig, defineModel, encrypted } from 'fieldseal';
export default defineConfig({ keys: 'stored', model: defineModel({ users: { primaryKey: 'id', rows: 1_000_000,
  columns: { phone: encrypted(codecs.string(), { scheme: 'xaes', alsoReads: ['plaintext'], distinct: 1_000_000, commonest: 1e-6 }) },
  indexes: { phone_index: blindIndex('phone', { bits: 17 }) } } }) });
`;

/** The project and its use cases' dependencies. */
export interface Rotated {
  readonly project: Project;
  readonly root: string;
  /** ROOT_KEY alone: the first key is in nobody's environment any more. */
  readonly deps: Dependencies;
  /** With ENCRYPTION_KEY as well. */
  readonly withKey: Dependencies;
  readonly notices: Notice[];
  /** What the audit log says of keys and of the ring, oldest first. */
  audit(): { action: string; id: string; details: unknown }[];
  /** Versions and states of one purpose. */
  states(purpose?: string): string[];
}

export function withRotated<T>(options: ProjectOptions, work: (rotated: Rotated) => Promise<T>): Promise<T> {
  return withProject(options, async (project) => {
    const root = project.keepSecret(Fernet.generateKey());
    const notices: Notice[] = [];
    const withKey = dependenciesOf(project, { env: { ENCRYPTION_KEY: project.key, ROOT_KEY: root }, notices });
    await sweepTables(withKey, 'encrypt', REALLY);
    await rotateKeys(withKey, { ...REALLY, given: null });
    notices.length = 0;
    return work({
      project,
      root,
      withKey,
      deps: dependenciesOf(project, { env: { ROOT_KEY: root }, notices }),
      notices,
      audit: () =>
        project.db((db) =>
          db
            .prepare<[], { action: string; resource_id: string; details: string }>(
              `SELECT action, resource_id, details FROM audit_logs
               WHERE resource_type IN ('encryption_key', 'keyring') ORDER BY id`,
            )
            .all()
            .map(({ action, resource_id, details }) => ({ action, id: resource_id, details: JSON.parse(details) })),
        ),
      states: (purpose = 'field') =>
        project.db((db) =>
          db
            .prepare("SELECT version || ' ' || state FROM encryption_keys WHERE purpose = ? ORDER BY version")
            .pluck()
            .all(purpose),
        ) as string[],
    });
  });
}

/** What nobody may do to the audit log in earnest: its rows are changed. */
export function tamper(project: Project, work: (db: Database.Database) => void): void {
  project.db((db) => {
    for (const guard of ['update', 'delete']) db.exec(`DROP TRIGGER IF EXISTS fieldseal_audit_logs_${guard}`);
    work(db);
  });
}

/** Lets days go by since each key was disabled. */
export function age(project: Project, days: number): void {
  tamper(project, (db) =>
    db
      .prepare(
        "UPDATE audit_logs SET timestamp = strftime('%Y-%m-%dT%H:%M:%fZ', timestamp, ?) WHERE action = 'key_disabled'",
      )
      .run(`-${days} days`),
  );
}

/** A process that reads the keyring, and read it at that generation just now. */
export function signOn(project: Project, generation: number): void {
  const process = Secret.random(4).reveal().toString('hex');
  project.db((db) =>
    db.prepare("INSERT INTO keyring_readers VALUES (?, ?, unixepoch('now') + 60)").run(process, generation),
  );
}
