import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseRecipients } from '../../src/usecases/create-backup.js';
import { readIdentityFile } from '../../src/usecases/verify-backup.js';
import { needAgeTool, runAge, runAgeWithPassphrase } from './age-tool.js';
import { withVault } from './with-vault.js';

describe('beside the age tool', () => {
  it('a backup is decrypted by `age`, with the key of `age-keygen`', (context) => {
    needAgeTool(context);
    return withVault({ customers: 2000 }, async ({ create, path, db }) => {
      runAge('age-keygen', ['-o', path('key.txt')]);
      const recipients = parseRecipients(runAge('age-keygen', ['-y', path('key.txt')]).toString());
      await create({ recipients });
      runAge('age', ['-d', '-i', path('key.txt'), '-o', path('by-age.db'), path('backup.age')]);
      expect(db((open) => open.pragma('integrity_check', { simple: true }), 'by-age.db')).toBe('ok');
      expect(db((open) => open.prepare('select count(*) from customers').pluck().get(), 'by-age.db')).toBe(1999);
    });
  });

  it('what `age` encrypted is restored', (context) => {
    needAgeTool(context);
    return withVault({ customers: 2000 }, async ({ create, restore, path, db }) => {
      runAge('age-keygen', ['-o', path('key.txt')]);
      const recipient = runAge('age-keygen', ['-y', path('key.txt')])
        .toString()
        .trim();
      await create({ to: path('plain.db'), recipients: [], encrypted: false });
      runAge('age', ['-r', recipient, '-o', path('by-age.age'), path('plain.db')]);
      await restore({ from: path('by-age.age'), identities: readIdentityFile(path('key.txt')) });
      expect(db((open) => open.prepare('select count(*) from customers').pluck().get(), 'restored.db')).toBe(1999);
    });
  });

  it('a passphrase opens the backup of either', (context) => {
    needAgeTool(context);
    return withVault({}, async ({ create, restore, path, db, files }) => {
      const passphrase = 'a quiet lighthouse';
      await create({ recipients: [], passphrase });
      runAgeWithPassphrase(['-d', '-o', path('by-age.db'), path('backup.age')], passphrase);
      expect(db((open) => open.pragma('integrity_check', { simple: true }), 'by-age.db')).toBe('ok');
      runAgeWithPassphrase(['-p', '-o', path('by-age.age'), path('by-age.db')], passphrase);
      await restore({ from: path('by-age.age'), identities: [], passphrase });
      expect(Object.keys(files())).toContain('restored.db');
    });
  });

  it('both find the same bytes in a file whose database ends with a chunk', (context) => {
    needAgeTool(context);
    return withVault({ customers: 0 }, async ({ create, verify, path, db, identity }) => {
      // Pages of 64 KiB: every chunk but the last is full, and so is the last.
      db((open) => open.exec('pragma journal_mode = delete; pragma page_size = 65536; vacuum'));
      const { bytes } = await create();
      writeFileSync(path('key.txt'), identity);
      const database = runAge('age', ['-d', '-i', path('key.txt'), path('backup.age')]);
      expect(database.length % 65536).toBe(0);
      expect(bytes).toBe(readFileSync(path('backup.age')).length);
      await verify();
    });
  });
});
