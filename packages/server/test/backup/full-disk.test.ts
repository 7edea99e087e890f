/** A disk that is full: a tmpfs of 1 MiB, which only root can mount. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createBackup } from '../../src/usecases/create-backup.js';
import { rejectionOf } from '../refusal.js';
import { withVault } from './with-vault.js';

/** Runs `work` with the path of a disk of 1 MiB; skips the test where none can be mounted. */
async function withTinyDisk(
  context: { skip(note: string): never },
  work: (disk: string) => Promise<void>,
): Promise<void> {
  const disk = mkdtempSync(join(tmpdir(), 'fieldseal-disk-'));
  try {
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    if (status !== 0) return context.skip('no tmpfs can be mounted here: that takes root and its privileges');
    try {
      await work(disk);
    } finally {
      execFileSync('umount', [disk]);
    }
  } finally {
    rmSync(disk, { recursive: true, force: true });
  }
}

const CUSTOMERS = 12_000; // A database of about 2 MB.

describe('a disk that is full', () => {
  it('refuses a backup, and holds nothing of it afterwards', (context) =>
    withTinyDisk(context, (disk) =>
      withVault({ customers: CUSTOMERS }, async ({ create, files }) => {
        const before = files();
        expect(await rejectionOf(() => create({ to: join(disk, 'backup.age') }))).toEqual({
          code: 'ERR_DATABASE_FAILED',
          message: `The disk of the folder ${disk} has no room left (ENOSPC).`,
        });
        expect(readdirSync(disk)).toEqual([]);
        expect(files()).toEqual(before);
      }),
    ));

  it('refuses the copy beside a database that has most of it', (context) =>
    withTinyDisk(context, (disk) =>
      withVault({ customers: 4_500 }, async ({ deps, file, path, recipient }) => {
        const database = join(disk, 'app.db');
        copyFileSync(file, database);
        const target = { dialect: 'sqlite', file: database } as const;
        const options = { to: path('backup.age'), recipients: [recipient], passphrase: null, encrypted: true };
        expect(await rejectionOf(() => createBackup({ ...deps, target }, options))).toEqual({
          code: 'ERR_DATABASE_FAILED',
          message: `The database ${database} has no room left on its disk (SQLITE_FULL).`,
        });
        expect(readdirSync(disk)).toEqual(['app.db']);
      }),
    ));

  it('refuses a restore, and keeps the old database', (context) =>
    withTinyDisk(context, (disk) =>
      withVault({ customers: CUSTOMERS }, async ({ create, restore, db }) => {
        await create();
        db((open) => open.exec('create table old (a text)'), 'old.db');
        mkdirSync(join(disk, 'data'));
        const to = join(disk, 'data/app.db');
        db((open) => open.prepare('vacuum into ?').run(to), 'old.db');
        expect(await rejectionOf(() => restore({ to, force: true }))).toEqual({
          code: 'ERR_DATABASE_FAILED',
          message: `The disk of the folder ${join(disk, 'data')} has no room left (ENOSPC).`,
        });
        expect(readdirSync(join(disk, 'data'))).toEqual(['app.db']);
      }),
    ));
});
