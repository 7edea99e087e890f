import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { fileURLToPath } from 'node:url';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { createBackup } from '../../src/usecases/create-backup.js';
import { type Vault, withVault } from '../backup/with-vault.js';
import { rejectionOf } from '../refusal.js';

const WRITER = fileURLToPath(new URL('../backup/writing-child.ts', import.meta.url));

/** Commits in the vault's database until `work` is done. */
async function whileWriting(vault: Vault, work: () => Promise<void>): Promise<void> {
  const child = fork(WRITER, [vault.file], { execArgv: ['--import', 'tsx'] });
  const ended = once(child, 'exit');
  try {
    await Promise.race([once(child, 'message'), ended.then(() => Promise.reject(new Error('the writer ended')))]);
    await work();
    expect(child.exitCode).toBeNull();
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

/** Runs `work` as a user without privileges to whom all of the folder belongs but the right to write in it. */
async function withoutRights(folder: string, work: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) {
    for (const name of readdirSync(folder)) chownSync(`${folder}/${name}`, 65534, 65534);
    chownSync(folder, 65534, 65534);
  }
  chmodSync(folder, 0o555);
  try {
    if (isRoot) process.seteuid?.(65534);
    await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
    chmodSync(folder, 0o755);
  }
}

describe('a backup', () => {
  it('is a file of its owner alone, and says what it is', () =>
    withVault({}, async ({ create, path, files, key }) => {
      const report = await create();
      const file = path('backup.age');
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(report).toEqual({
        file,
        bytes: statSync(file).size,
        sha256: files()['backup.age'],
        encrypted: true,
        tables: expect.any(Number),
        keyring: { id: expect.stringMatching(/^[0-9a-f]{32}$/), generation: 2, keys: 2, roots: [expect.any(String)] },
      });
      expect(readFileSync(file, 'latin1')).toMatch(/^age-encryption\.org\/v1\n-> X25519 /);
      expect(JSON.stringify(report)).not.toContain(key);
    }));

  it.each(['delete', 'wal'] as const)('leaves nothing else behind, and the journal mode %s as it is', (journalMode) =>
    withVault({ journalMode }, async ({ create, files, db }) => {
      await create();
      expect(Object.keys(files()).sort()).toEqual(['app.db', 'backup.age']);
      expect(db((open) => open.pragma('journal_mode', { simple: true }))).toBe(journalMode);
    }),
  );

  it('is audited with its recipients', () =>
    withVault({}, async ({ create, lastAudit, recipient }) => {
      const { bytes, sha256 } = await create();
      const row = await lastAudit();
      expect(row).toMatchObject({ action: 'backup_created', resourceType: 'backup', resourceId: 'backup.age' });
      expect(JSON.parse(row?.details ?? '')).toEqual({
        file: 'backup.age',
        bytes,
        sha256,
        encrypted: true,
        recipients: [recipient],
      });
    }));

  it('with a passphrase is opened by it, and audited without it', () =>
    withVault({}, async ({ create, verify, lastAudit }) => {
      await create({ recipients: [], passphrase: 'a quiet lighthouse' });
      const row = await lastAudit();
      expect(await verify({ identities: [], passphrase: 'a quiet lighthouse' })).toMatchObject({ encrypted: true });
      expect(JSON.parse(row?.details ?? '')).toMatchObject({ recipients: 'passphrase' });
      expect(JSON.stringify(row)).not.toContain('lighthouse');
    }));

  it('to several recipients is opened by each of them', () =>
    withVault({}, async ({ create, verify, recipient }) => {
      const second = await generateX25519Identity();
      await create({ recipients: [recipient, await identityToRecipient(second)] });
      await verify();
      await verify({ identities: [second] });
    }));

  it('is plain only when encryption is off, and warns of it', () =>
    withVault({}, async ({ create, path, notices }) => {
      const report = await create({ to: path('plain.db'), recipients: [], encrypted: false });
      expect(report.encrypted).toBe(false);
      expect(readFileSync(path('plain.db'), 'latin1').startsWith('SQLite format 3\0')).toBe(true);
      expect(statSync(path('plain.db')).mode & 0o777).toBe(0o600);
      expect(notices).toEqual([
        {
          type: 'warning',
          text: `the backup ${path('plain.db')} is not encrypted: BACKUP_ENCRYPTION_ENABLED is false`,
        },
      ]);
    }));

  it('can be made before there is a keyring', () =>
    withVault({}, async ({ path, db, deps, recipient, verify }) => {
      const file = path('bare.db');
      db((open) => open.exec('create table mine (a text)'), 'bare.db');
      const bare = { ...deps, target: { dialect: 'sqlite' as const, file } };
      const to = path('bare.age');
      const report = await createBackup(bare, { to, recipients: [recipient], passphrase: null, encrypted: true });
      expect(report).toMatchObject({ tables: 1, keyring: null });
      expect(await verify({ from: to })).toMatchObject({ tables: 1, keyring: null, opensWithRootKey: null });
    }));

  it.each(['delete', 'wal'] as const)('is consistent while another process writes (%s)', (journalMode) =>
    withVault({ journalMode }, async (vault) => {
      vault.db((db) =>
        db.exec(`create table debit (total integer, movements integer); insert into debit values (0, 0);
          create table credit (total integer, movements integer); insert into credit values (0, 0);
          create table ledger (amount integer, filler text)`),
      );
      const seen: number[] = [];
      await whileWriting(vault, async () => {
        for (let i = 0; i < 6; i++) {
          await vault.create({ to: vault.path(`${i}.age`) });
          await vault.restore({ from: vault.path(`${i}.age`), to: vault.path(`${i}.db`) });
          const state = vault.db(
            (db) =>
              db
                .prepare<[], Record<'debit' | 'credit' | 'debits' | 'credits' | 'rows' | 'amounts', number>>(
                  `select debit.total as debit, credit.total as credit, debit.movements as debits,
                    credit.movements as credits, (select count(*) from ledger) as rows,
                    (select sum(amount) from ledger) as amounts from debit, credit`,
                )
                .get(),
            `${i}.db`,
          );
          expect(state?.credit).toBe(state?.amounts);
          expect(state?.debit).toBe(-(state?.amounts ?? 0));
          expect(state?.credits).toBe(state?.rows);
          expect(state?.debits).toBe(state?.rows);
          seen.push(state?.rows ?? 0);
        }
      });
      // The writer went on between the backups.
      expect(new Set(seen).size).toBe(seen.length);
    }),
  );
});

describe('a backup is refused, and nothing is left behind,', () => {
  it.each<[fact: string, options: Parameters<Vault['create']>[0], message: string]>([
    [
      'without a recipient or a passphrase',
      { recipients: [] },
      'A backup is encrypted, and nothing says to whom: give a recipient (BACKUP_RECIPIENTS) or a passphrase (BACKUP_PASSPHRASE); only BACKUP_ENCRYPTION_ENABLED=false makes a plain one.',
    ],
    [
      'with both',
      { passphrase: 'open sesame' },
      'A backup is encrypted to recipients or with a passphrase, never both; give one of them.',
    ],
    ['with an empty passphrase', { recipients: [], passphrase: '' }, 'The passphrase is empty.'],
    [
      'with a recipient while encryption is off',
      { encrypted: false },
      'A recipient or passphrase was given while BACKUP_ENCRYPTION_ENABLED=false asks for a plain backup; leave out one of them.',
    ],
    ['to what is no recipient', { recipients: ['age1nobody'] }, 'A recipient is not an age public key (age1…).'],
  ])('%s', (_fact, options, message) =>
    withVault({}, async ({ create, files }) => {
      const before = files();
      expect(await rejectionOf(() => create(options))).toEqual({ code: 'ERR_CONFIG_INVALID', message });
      expect(files()).toEqual(before);
    }),
  );

  it('to a secret key given by mistake, which is not repeated', () =>
    withVault({}, async ({ create, identity }) => {
      const refusal = await rejectionOf(() => create({ recipients: [identity] }));
      expect(refusal).toEqual({
        code: 'ERR_CONFIG_INVALID',
        message: 'A recipient is not an age public key (age1…).',
      });
    }));

  it.each<[what: string, make: (file: string) => void]>([
    ['a file', (file) => writeFileSync(file, 'mine')],
    ['a link to nowhere', (file) => symlinkSync('nowhere', file)],
  ])('over %s', (_what, make) =>
    withVault({}, async ({ create, path, files }) => {
      make(path('backup.age'));
      const before = files();
      expect(await rejectionOf(() => create())).toEqual({
        code: 'ERR_BACKUP_EXISTS',
        message: `There is a file ${path('backup.age')} already; nothing is written over it.`,
      });
      expect(files()).toEqual(before);
    }),
  );

  it('of PostgreSQL', () =>
    withVault({}, async ({ deps, path, recipient }) => {
      const target = { dialect: 'postgres', connectionString: 'postgres://app:hush@db.example/app' } as const;
      const options = { to: path('backup.age'), recipients: [recipient], passphrase: null, encrypted: true };
      expect(await rejectionOf(() => createBackup({ ...deps, target }, options))).toEqual({
        code: 'ERR_DATABASE_URL',
        message: 'Backups are of SQLite databases so far, and DATABASE_URL names a PostgreSQL database; use pg_dump.',
      });
    }));

  it('of a database that is not there', () =>
    withVault({}, async ({ deps, path, files, recipient }) => {
      const before = files();
      const target = { dialect: 'sqlite', file: path('gone.db') } as const;
      const options = { to: path('backup.age'), recipients: [recipient], passphrase: null, encrypted: true };
      expect(await rejectionOf(() => createBackup({ ...deps, target }, options))).toEqual({
        code: 'ERR_DATABASE_NOT_FOUND',
        message: `The database ${path('gone.db')} does not exist or cannot be opened; check the path in DATABASE_URL.`,
      });
      expect(files()).toEqual(before);
    }));

  it('into a folder that is not there', () =>
    withVault({}, async ({ create, path, files }) => {
      const before = files();
      expect(await rejectionOf(() => create({ to: path('gone/backup.age') }))).toEqual({
        code: 'ERR_CONFIG_INVALID',
        message: `Nothing can be written in the folder ${path('gone')} (ENOENT); check that it exists, and the rights to it.`,
      });
      expect(files()).toEqual(before);
    }));

  it('into a folder that cannot be written', () =>
    withVault({}, async ({ create, files, folder }) => {
      const before = files();
      await withoutRights(folder, async () => {
        expect(await rejectionOf(() => create())).toEqual({
          code: 'ERR_CONFIG_INVALID',
          message: `Nothing can be written in the folder ${folder} (EACCES); check that it exists, and the rights to it.`,
        });
      });
      expect(files()).toEqual(before);
    }));

  it('when the process is asked to stop', () =>
    withVault({}, async ({ deps, path, files, recipient }) => {
      const before = files();
      const options = { to: path('backup.age'), recipients: [recipient], passphrase: null, encrypted: true };
      expect(await rejectionOf(() => createBackup({ ...deps, stop: AbortSignal.abort() }, options))).toEqual({
        code: 'ERR_RUN_STOPPED',
        message: 'Stopped; nothing is left behind, run the same command again.',
      });
      expect(files()).toEqual(before);
    }));

  it('when it cannot be audited', () =>
    withVault({}, async ({ create, db, path }) => {
      db((open) =>
        open.exec(`create trigger refuse before insert on audit_logs begin select raise(abort, 'not today'); end`),
      );
      const refusal = await rejectionOf(() => create());
      expect(refusal).toEqual({
        code: 'ERR_DATABASE_FAILED',
        message: `The database ${path('app.db')} failed (SQLITE_CONSTRAINT_TRIGGER).`,
      });
      expect(existsSync(path('backup.age'))).toBe(false);
    }));

  it('when a file of its name comes up while it is made, which stays as it is', () =>
    withVault({}, async ({ deps, path }) => {
      const to = path('late.db');
      const notify = () => writeFileSync(to, 'mine'); // The warning comes after the name was found free.
      const options = { to, recipients: [], passphrase: null, encrypted: false };
      expect(await rejectionOf(() => createBackup({ ...deps, notify }, options))).toEqual({
        code: 'ERR_BACKUP_EXISTS',
        message: `There is a file ${to} already; nothing is written over it.`,
      });
      expect(readFileSync(to, 'utf8')).toBe('mine');
    }));
});
