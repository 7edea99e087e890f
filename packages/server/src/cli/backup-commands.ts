/** The commands around backups. */
import type { Command } from 'commander';
import type { Dependencies } from '../usecases/dependencies.js';
import type { Output } from './output.js';
import { renderBackup } from './render.js';

/** What these commands need of the program around them. */
export interface BackupCommands {
  command(name: string, description: string, example: string): Command;
  dependencies(): Dependencies;
  output(): Output;
  env(name: string): string | undefined;
  encrypted(): boolean;
}

interface OpeningFlags {
  readonly identityFile?: string;
  readonly passphraseFile?: string;
}

/** Adds `backup create`, `backup verify` and `backup restore`. */
export function addBackupCommands({ command, dependencies, output, env, encrypted }: BackupCommands): void {
  const passphrase = async ({ passphraseFile }: OpeningFlags): Promise<string | null> => {
    if (passphraseFile === undefined) return env('BACKUP_PASSPHRASE') ?? null;
    const { readPassphraseFile } = await import('../usecases/create-backup.js');
    return readPassphraseFile(passphraseFile);
  };
  const opening = async (flags: OpeningFlags) => {
    const { parseIdentities, readIdentityFile } = await import('../usecases/verify-backup.js');
    return {
      identities:
        flags.identityFile === undefined
          ? parseIdentities(env('BACKUP_IDENTITY') ?? '')
          : readIdentityFile(flags.identityFile),
      passphrase: await passphrase(flags),
      encrypted: encrypted(),
    };
  };
  const backup = command(
    'backup',
    'Back the SQLite database up as one encrypted file (the age format), and restore it.',
    'fieldseal backup create nightly.age --recipient age1…',
  );
  const openingOptions = (named: Command) =>
    named
      .option('--identity-file <file>', 'a file with AGE-SECRET-KEY-1… lines (else BACKUP_IDENTITY)')
      .option('--passphrase-file <file>', 'a file whose first line is the passphrase (else BACKUP_PASSPHRASE)');

  backup
    .command('create')
    .description(
      'Write a consistent copy while everything goes on; BACKUP_ENCRYPTION_ENABLED=false makes it a plain one.',
    )
    .argument('<file>', 'the new backup; nothing may have that name yet')
    .option(
      '--recipient <age1…...>',
      'a public key that it is encrypted to; several are possible (else BACKUP_RECIPIENTS)',
    )
    .option('--passphrase-file <file>', 'encrypt with the first line of this file instead (else BACKUP_PASSPHRASE)')
    .action(async (file: string, flags: { recipient?: string[] } & OpeningFlags) => {
      const { createBackup, parseRecipients } = await import('../usecases/create-backup.js');
      const given =
        flags.recipient ?? (flags.passphraseFile === undefined ? parseRecipients(env('BACKUP_RECIPIENTS') ?? '') : []);
      const key = given.length > 0 && flags.passphraseFile === undefined ? null : await passphrase(flags);
      const report = await createBackup(dependencies(), {
        to: file,
        recipients: given,
        passphrase: key,
        encrypted: encrypted(),
      });
      output().result({ ...report }, renderBackup(report));
    });

  openingOptions(
    backup
      .command('verify')
      .description('Read a whole backup and check it, as a restore would; touch no database.')
      .argument('<file>', 'the backup'),
  ).action(async (file: string, flags: OpeningFlags) => {
    const { verifyBackup } = await import('../usecases/verify-backup.js');
    const report = await verifyBackup(dependencies(), { from: file, ...(await opening(flags)) });
    output().result({ ...report }, renderBackup(report));
  });

  openingOptions(
    backup
      .command('restore')
      .description('Restore a backup, once it was read to its end. Stop what uses the database first.')
      .argument('<file>', 'the backup'),
  )
    .option('--to <database>', 'the restored file (default: that of DATABASE_URL)')
    .option('--force', 'replace a database that stands there; the old one is kept beside it')
    .action(async (file: string, flags: OpeningFlags & { to?: string; force?: true }) => {
      const { restoreBackup } = await import('../usecases/restore-backup.js');
      const options = { from: file, to: flags.to ?? null, force: flags.force ?? false, ...(await opening(flags)) };
      const report = await restoreBackup(dependencies(), options);
      const kept = report.kept === null ? '' : `The old database is kept as ${report.kept}.\n`;
      output().result({ ...report }, `${renderBackup(report)}Restored as ${report.database}.\n${kept}`);
    });
}
