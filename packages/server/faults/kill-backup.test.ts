/** What is left when the process is killed in the middle. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Vault, withVault } from '../test/backup/with-vault.js';

const CHILD = fileURLToPath(new URL('../test/backup/backup-child.ts', import.meta.url));

/** Bytes of the file `name` in whatever temporary folder holds one. */
function draftBytes({ folder, path }: Vault, name: string): number {
  const drafts = readdirSync(folder).filter((entry) => entry.startsWith('.fieldseal-'));
  return Math.max(0, ...drafts.map((draft) => statSync(join(path(draft), name), { throwIfNoEntry: false })?.size ?? 0));
}

/** Runs the child and kills it once its draft of `name` has begun; fails when it ends by itself. */
async function killWhileWriting(vault: Vault, name: string, args: unknown): Promise<void> {
  const child = fork(CHILD, [JSON.stringify(args)], { execArgv: ['--import', 'tsx'] });
  const ended = once(child, 'exit');
  while (draftBytes(vault, name) < 200_000 && child.exitCode === null) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  child.kill('SIGKILL');
  expect((await ended)[1]).toBe('SIGKILL');
}

describe('killed in the middle', () => {
  it('a backup leaves nothing under its name, and can be made again', () =>
    withVault({ customers: 100_000 }, async (vault) => {
      const options = {
        to: vault.path('backup.age'),
        recipients: [vault.recipient],
        passphrase: null,
        encrypted: true,
      };
      await killWhileWriting(vault, 'backup.age', ['create', vault.file, options]);
      expect(existsSync(vault.path('backup.age'))).toBe(false);
      await vault.create();
      await vault.verify();
    }));

  it('a restore leaves the old database as it is, and can be made again', () =>
    withVault({ customers: 100_000 }, async (vault) => {
      await vault.create();
      const before = vault.files()['app.db'];
      const options = {
        from: vault.path('backup.age'),
        identities: [vault.identity],
        passphrase: null,
        encrypted: true,
      };
      const args = ['restore', vault.file, { ...options, to: null, force: true }];
      await killWhileWriting(vault, 'app.db', args);
      expect(vault.files()['app.db']).toBe(before);
      await vault.restore({ to: vault.file, force: true });
    }));
});
