import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import Database from 'better-sqlite3';
import { isFieldsealError } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/open-store.js';
import { createBackup } from '../../src/usecases/create-backup.js';
import { restoreBackup } from '../../src/usecases/restore-backup.js';
import { openServiceKeyring } from '../../src/usecases/service-keyring.js';
import { type Vault, withVault } from '../backup/with-vault.js';
import { rejectionOf } from '../refusal.js';

/** All rows of all of the application's tables, with their rowids, and the settings that a copy must keep. */
function contentOf({ db }: Vault, name: string): unknown {
  return db(
    (open) => ({
      customers: open.prepare('select rowid, * from customers order by rowid').all(),
      keys: open.prepare('select * from encryption_keys').all(),
      state: open.prepare('select * from keyring_state').all(),
      schema: open.prepare('select name, sql from sqlite_schema order by name').all(),
      settings: ['journal_mode', 'page_size', 'auto_vacuum', 'user_version', 'application_id', 'encoding'].map(
        (pragma) => open.pragma(pragma, { simple: true }),
      ),
    }),
    name,
  );
}

function names({ files }: Vault): string[] {
  return Object.keys(files()).sort();
}

describe('a restored database', () => {
  it.each(['delete', 'wal'] as const)('holds what was backed up, row by row (%s)', (journalMode) =>
    withVault({ journalMode, customers: 2000 }, async (vault) => {
      vault.db((db) => db.exec('pragma user_version = 7; pragma application_id = 99'));
      const before = contentOf(vault, 'app.db');
      await vault.create();
      expect(await vault.restore()).toMatchObject({ database: vault.path('restored.db'), kept: null });
      expect(contentOf(vault, 'restored.db')).toEqual(before);
      expect(names(vault)).toEqual(['app.db', 'backup.age', 'restored.db']);
      expect(statSync(vault.path('restored.db')).mode & 0o777).toBe(0o600);
    }),
  );

  it('opens with the same root key', () =>
    withVault({}, async (vault) => {
      await vault.create();
      await vault.restore();
      const { current } = vault.deps.keys;
      const store = await openStore({ dialect: 'sqlite', file: vault.path('restored.db') });
      const given = { current, previous: [], roots: current ? [current] : [] };
      const { isNew, ring } = await openServiceKeyring(store, given, false);
      await store.close();
      expect([isNew, ring.primary.version]).toEqual([false, 'v1']);
    }));

  it('tells in its audit log that it was restored, and from what', () =>
    withVault({}, async ({ create, restore, lastAudit }) => {
      const { bytes, sha256 } = await create();
      await restore();
      const row = await lastAudit('restored.db');
      expect(row).toMatchObject({ action: 'backup_restored', resourceType: 'backup', resourceId: 'backup.age' });
      expect(JSON.parse(row?.details ?? '')).toEqual({
        file: 'backup.age',
        bytes,
        sha256,
        encrypted: true,
        kept: null,
      });
      expect(await lastAudit()).toMatchObject({ action: 'backup_created' });
    }));

  it('is that of DATABASE_URL unless told', () =>
    withVault({}, async ({ create, path, deps, identity }) => {
      await create();
      const target = { dialect: 'sqlite', file: path('new.db') } as const;
      const options = { from: path('backup.age'), identities: [identity], passphrase: null, encrypted: true };
      await restoreBackup({ ...deps, target }, { ...options, to: null, force: false });
      expect(existsSync(path('new.db'))).toBe(true);
    }));

  it('comes out of a passphrase or a plain file as well', () =>
    withVault({}, async (vault) => {
      const before = contentOf(vault, 'app.db');
      await vault.create({ recipients: [], passphrase: 'a quiet lighthouse' });
      await vault.restore({ identities: [], passphrase: 'a quiet lighthouse', to: vault.path('first.db') });
      await vault.create({ to: vault.path('plain'), recipients: [], encrypted: false });
      await vault.restore({ from: vault.path('plain'), identities: [], encrypted: false, to: vault.path('second.db') });
      expect(contentOf(vault, 'first.db')).toEqual(before);
      expect(contentOf(vault, 'second.db')).toEqual(before);
    }));

  it('may have been backed up before there was a keyring', () =>
    withVault({}, async ({ deps, db, path, recipient, restore, lastAudit }) => {
      db((open) => open.exec('create table mine (a text)'), 'bare.db');
      const bare = { ...deps, target: { dialect: 'sqlite' as const, file: path('bare.db') } };
      const to = path('backup.age');
      await createBackup(bare, { to, recipients: [recipient], passphrase: null, encrypted: true });
      expect(await restore()).toMatchObject({ tables: 1, keyring: null });
      expect(await lastAudit('restored.db')).toMatchObject({ id: 1, action: 'backup_restored' });
    }));
});

describe('an old database', () => {
  it('is never replaced without force', () =>
    withVault({}, async ({ create, restore, files, file }) => {
      await create();
      const before = files();
      expect(await rejectionOf(() => restore({ to: file }))).toEqual({
        code: 'ERR_BACKUP_EXISTS',
        message: `There is a database ${file} already; --force replaces it and keeps it beside the restored one.`,
      });
      expect(files()).toEqual(before);
    }));

  it.each(['delete', 'wal'] as const)('is kept beside the restored one with force (%s)', (journalMode) =>
    withVault({ journalMode }, async (vault) => {
      const backedUp = contentOf(vault, 'app.db');
      await vault.create();
      vault.db((db) => db.exec("insert into customers values ('Late', 'after the backup')"));
      const old = contentOf(vault, 'app.db');
      const { kept } = await vault.restore({ to: vault.file, force: true });
      const keptName = names(vault).find((name) => name.startsWith('app.db.'));
      expect(keptName).toMatch(/^app\.db\.before-restore-\d{8}T\d{9}Z$/);
      expect(kept).toBe(vault.path(keptName ?? ''));
      expect(contentOf(vault, 'app.db')).toEqual(backedUp);
      expect(contentOf(vault, keptName ?? '')).toEqual(old);
      expect(names(vault)).toEqual(['app.db', keptName, 'backup.age']);
      expect(JSON.parse((await vault.lastAudit())?.details ?? '')).toMatchObject({ kept: keptName });
    }),
  );

  it('hands its mode and owner on', () =>
    withVault({}, async ({ create, restore, file }) => {
      await create();
      chmodSync(file, 0o640);
      if (process.geteuid?.() === 0) chownSync(file, 65534, 65534);
      const { uid, gid } = statSync(file);
      await restore({ to: file, force: true });
      expect(statSync(file)).toMatchObject({ uid, gid });
      expect(statSync(file).mode & 0o777).toBe(0o640);
    }));

  it('takes its journals along, so that none is played into the restored one', () =>
    withVault({ journalMode: 'wal' }, async (vault) => {
      const backedUp = contentOf(vault, 'app.db');
      await vault.create();
      // A process that was killed leaves its log behind.
      const writer = new Database(vault.file);
      writer.exec("insert into customers values ('Late', 'in the log')");
      const crashed = ['app.db', 'app.db-wal'].map((name) => [name, `${name}.copy`] as const);
      for (const [name, copy] of crashed) copyFileSync(vault.path(name), vault.path(copy));
      writer.close();
      for (const [name, copy] of crashed) copyFileSync(vault.path(copy), vault.path(name));
      const { kept } = await vault.restore({ to: vault.file, force: true });
      expect(names(vault).filter((name) => /-(wal|shm|journal)$/.test(name))).toEqual([]);
      expect(contentOf(vault, 'app.db')).toEqual(backedUp);
      const late = vault.db(
        (db) => db.prepare("select note from customers where name = 'Late'").pluck().all(),
        kept?.slice(vault.folder.length + 1),
      );
      expect(late).toEqual(['in the log']);
    }));

  it.each(['-wal', '-journal', '-shm'])('of which only the %s is left is not taken for nothing', (suffix) =>
    withVault({}, async (vault) => {
      await vault.create();
      const to = vault.path('restored.db');
      writeFileSync(to + suffix, 'of an older database');
      const before = vault.files();
      expect(await rejectionOf(() => vault.restore())).toEqual({
        code: 'ERR_BACKUP_EXISTS',
        message: `There is a journal ${to}${suffix} of an older database; --force moves it out of the way.`,
      });
      expect(vault.files()).toEqual(before);
      const { kept } = await vault.restore({ force: true });
      expect(existsSync(to + suffix)).toBe(false);
      expect(existsSync(`${kept}${suffix}`)).toBe(true);
      expect(contentOf(vault, 'restored.db')).toEqual(contentOf(vault, 'app.db'));
    }),
  );

  it.each<[what: string, content: string]>([
    ['a damaged database', `SQLite format 3\0${'x'.repeat(5000)}`],
    ['no database at all', 'My holidays'],
  ])('that is %s is replaced with force as well', (_what, content) =>
    withVault({}, async (vault) => {
      await vault.create();
      writeFileSync(vault.path('restored.db'), content);
      const { kept } = await vault.restore({ force: true });
      expect(existsSync(kept ?? '')).toBe(true);
      expect(contentOf(vault, 'restored.db')).toEqual(contentOf(vault, 'app.db'));
    }),
  );

  it('behind a symbolic link is replaced where it is', () =>
    withVault({}, async (vault) => {
      await vault.create();
      mkdirSync(vault.path('disk'));
      copyFileSync(vault.file, vault.path('disk/real.db'));
      symlinkSync('disk/real.db', vault.path('link.db'));
      const { database, kept } = await vault.restore({ to: vault.path('link.db'), force: true });
      expect(database).toBe(vault.path('disk/real.db'));
      expect(kept?.startsWith(vault.path('disk/real.db.before-restore-'))).toBe(true);
      expect(contentOf(vault, 'link.db')).toEqual(contentOf(vault, 'app.db'));
    }));

  it.each<[what: string, journalMode: 'delete' | 'wal', use: string]>([
    ['that another process writes to', 'delete', "begin immediate; insert into customers values ('Late', null)"],
    ['that another process reads from', 'delete', 'begin; select count(*) from customers'],
    ['whose log another process writes', 'wal', "begin immediate; insert into customers values ('Late', null)"],
    ['whose log another process has open', 'wal', 'select count(*) from customers'],
  ])('%s is not replaced', (_what, journalMode, use) =>
    withVault({ journalMode }, async ({ create, restore, file, files }) => {
      await create();
      const other = new Database(file);
      try {
        other.exec(use);
        const before = Object.keys(files());
        expect(await rejectionOf(() => restore({ to: file, force: true }))).toEqual({
          code: 'ERR_DATABASE_BUSY',
          message: `The database ${file} is in use by another process; stop the service and the application first.`,
        });
        expect(Object.keys(files())).toEqual(before);
      } finally {
        other.close();
      }
    }),
  );
});

describe('a restore is refused, and nothing is left behind,', () => {
  it('when the backup is damaged, also with force', () =>
    withVault({ customers: 2000 }, async ({ create, restore, file, files, path }) => {
      const { bytes } = await create();
      truncateSync(path('backup.age'), bytes - 1);
      const before = files();
      expect(await rejectionOf(() => restore({ to: file, force: true }))).toEqual({
        code: 'ERR_BACKUP_INVALID',
        message: `The backup ${path('backup.age')} is damaged or cut short.`,
      });
      expect(files()).toEqual(before);
    }));

  it('when its folder is missing', () =>
    withVault({}, async ({ create, restore, path, files }) => {
      await create();
      const before = files();
      expect(await rejectionOf(() => restore({ to: path('gone/app.db') }))).toEqual({
        code: 'ERR_CONFIG_INVALID',
        message: `Nothing can be written in the folder ${path('gone')} (ENOENT); check that it exists, and the rights to it.`,
      });
      expect(files()).toEqual(before);
    }));

  it('when a folder stands there', () =>
    withVault({}, async ({ create, restore, path }) => {
      await create();
      mkdirSync(path('restored.db'));
      expect(await rejectionOf(() => restore({ force: true }))).toEqual({
        code: 'ERR_BACKUP_EXISTS',
        message: `${path('restored.db')} is not a file; nothing is written over it.`,
      });
    }));

  it('when it would go to PostgreSQL', () =>
    withVault({}, async ({ deps, create, identity, path }) => {
      await create();
      const target = { dialect: 'postgres', connectionString: 'postgres://app:hush@db.example/app' } as const;
      const options = { from: path('backup.age'), identities: [identity], passphrase: null, encrypted: true };
      const refusal = await rejectionOf(() =>
        restoreBackup({ ...deps, target }, { ...options, to: null, force: true }),
      );
      expect(refusal).toEqual({
        code: 'ERR_DATABASE_URL',
        message: 'Backups are of SQLite databases so far, and DATABASE_URL names a PostgreSQL database; use pg_dump.',
      });
      await restoreBackup({ ...deps, target }, { ...options, to: path('restored.db'), force: false });
    }));

  it('when the process is asked to stop', () =>
    withVault({}, async ({ deps, create, identity, path, files }) => {
      await create();
      const before = files();
      const options = { from: path('backup.age'), identities: [identity], passphrase: null, encrypted: true };
      const stopped = { ...deps, stop: AbortSignal.abort() };
      expect(
        await rejectionOf(() => restoreBackup(stopped, { ...options, to: path('restored.db'), force: false })),
      ).toEqual({
        code: 'ERR_RUN_STOPPED',
        message: 'Stopped; nothing is left behind, run the same command again.',
      });
      expect(files()).toEqual(before);
    }));

  it('when a database comes up while it works, which stays as it is', () =>
    withVault({ customers: 2000 }, async ({ create, restore, path, db }) => {
      await create();
      const restoring = restore().then(
        () => null,
        (error: unknown) => error,
      );
      db((open) => open.exec('create table mine (a text)'), 'restored.db');
      const refusal = await restoring;
      expect(isFieldsealError(refusal) && { code: refusal.code, message: refusal.message }).toEqual({
        code: 'ERR_BACKUP_EXISTS',
        message: `There is a file ${path('restored.db')} already; nothing is written over it.`,
      });
      expect(db((open) => open.prepare('select name from sqlite_schema').pluck().all(), 'restored.db')).toEqual([
        'mine',
      ]);
    }));
});
