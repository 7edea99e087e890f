/** A folder with an application's database in it, the service's keyring included, and an age identity of its own. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import Database from 'better-sqlite3';
import { Fernet, takeEnvironmentKeys } from 'fieldseal';
import { openStore } from '../../src/store/open-store.js';
import type { AuditRow } from '../../src/store/store.js';
import { type BackupReport, type CreateBackupOptions, createBackup } from '../../src/usecases/create-backup.js';
import type { Dependencies, Notice } from '../../src/usecases/dependencies.js';
import { type RestoreBackupOptions, type RestoredBackup, restoreBackup } from '../../src/usecases/restore-backup.js';
import { openServiceKeyring } from '../../src/usecases/service-keyring.js';
import { type VerifiedBackup, type VerifyBackupOptions, verifyBackup } from '../../src/usecases/verify-backup.js';
import { bareDependencies } from '../usecases/bare-dependencies.js';

export interface VaultOptions {
  readonly journalMode?: 'delete' | 'wal';
  /** How many customers; 2000 make a backup of several chunks. */
  readonly customers?: number;
  /** Where the folder is made. */
  readonly within?: string;
}

/** One vault. */
export interface Vault {
  readonly folder: string;
  /** `app.db`. */
  readonly file: string;
  /** The root key. */
  readonly key: string;
  readonly identity: string;
  readonly recipient: string;
  readonly deps: Dependencies;
  readonly notices: readonly Notice[];
  /** `NAME` in the folder. */
  path(name: string): string;
  /** Creates `backup.age` to the recipient, unless told otherwise. */
  create(options?: Partial<CreateBackupOptions>): Promise<BackupReport>;
  /** Verifies `backup.age` with the identity, unless told otherwise. */
  verify(options?: Partial<VerifyBackupOptions>): Promise<VerifiedBackup>;
  /** Restores `backup.age` to `restored.db` with the identity, unless told otherwise. */
  restore(options?: Partial<RestoreBackupOptions>): Promise<RestoredBackup>;
  /** Opens a database of the folder for `work` alone. */
  db<T>(work: (db: Database.Database) => T, name?: string): T;
  /** The newest audit row of a database of the folder. */
  lastAudit(name?: string): Promise<AuditRow | undefined>;
  /** Every name in the folder, with a hash of the file: equal when nothing was changed or left behind. */
  files(): Record<string, string>;
}

function hashOf(path: string): string {
  return lstatSync(path).isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'no file';
}

function fill(db: Database.Database, customers: number): void {
  db.exec('create table customers (name text not null, note text); create index by_name on customers (name)');
  const insert = db.prepare('insert into customers values (?, ?)');
  db.transaction(() => {
    for (let i = 0; i < customers; i++) insert.run(`Customer ${i}`, `note ${i} `.repeat(8));
    // A row without an INTEGER PRIMARY KEY is known by its rowid alone, and a gap shows when rowids change.
    db.exec('delete from customers where rowid = 2');
  })();
}

/** Runs `work` in a new vault, and deletes it afterwards. */
export async function withVault<T>(options: VaultOptions, work: (vault: Vault) => Promise<T>): Promise<T> {
  const { journalMode = 'delete', customers = 100, within = tmpdir() } = options;
  const folder = mkdtempSync(join(within, 'fieldseal-vault-'));
  const path = (name: string) => join(folder, name);
  const file = path('app.db');
  const target = { dialect: 'sqlite', file } as const;
  const key = Fernet.generateKey();
  const keys = takeEnvironmentKeys({ ENCRYPTION_KEY: key });
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const notices: Notice[] = [];
  const deps = bareDependencies({ target, keys, notify: (notice) => void notices.push(notice) });
  const open = { identities: [identity], passphrase: null, encrypted: true };
  const vault: Vault = {
    folder,
    file,
    key,
    identity,
    recipient,
    deps,
    notices,
    path,
    create: (given = {}) =>
      createBackup(deps, {
        to: path('backup.age'),
        recipients: [recipient],
        passphrase: null,
        encrypted: true,
        ...given,
      }),
    verify: (given = {}) => verifyBackup(deps, { from: path('backup.age'), ...open, ...given }),
    restore: (given = {}) =>
      restoreBackup(deps, { from: path('backup.age'), to: path('restored.db'), ...open, force: false, ...given }),
    db(use, name = 'app.db') {
      const db = new Database(path(name));
      try {
        return use(db);
      } finally {
        db.close();
      }
    },
    async lastAudit(name = 'app.db') {
      const store = await openStore({ dialect: 'sqlite', file: path(name) }, { mustExist: true });
      try {
        return (await store.audit.list({ limit: 1 }))[0];
      } finally {
        await store.close();
      }
    },
    files: () => Object.fromEntries(readdirSync(folder).map((name) => [name, hashOf(path(name))])),
  };
  try {
    vault.db((db) => {
      db.pragma(`journal_mode = ${journalMode}`);
      fill(db, customers);
    });
    const store = await openStore(target);
    await openServiceKeyring(store, { current: keys.current, previous: [], roots: [keys.current as never] }, true);
    await store.close();
    return await work(vault);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
