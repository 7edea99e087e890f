/** The commands around subjects: `erase`, and `subject-keys create`, `export` and `import`. */
import type { Command } from 'commander';
import type { Dependencies } from '../usecases/dependencies.js';
import { EXIT } from './exit-codes.js';
import { formatCount, type Output } from './output.js';
import { renderErasure } from './render-erasure.js';

/** What these commands need of the program around them. */
export interface SubjectCommands {
  command(name: string, description: string, example: string): Command;
  dependencies(): Dependencies;
  output(): Output;
  setExitCode(code: number): void;
}

const AFTER_ERASING =
  'Make a new backup and a new `fieldseal subject-keys export` NOW. Older backups hold every subject’s key under a root that ' +
  'is destroyed: a database restored from one needs `fieldseal subject-keys import FILE --restored` with an export made after this.';

/** Adds the commands. */
export function addSubjectCommands({ command, dependencies, output, setExitCode }: SubjectCommands): void {
  command(
    'erase',
    'Destroy the key of one subject, so that nothing under it opens any more, in no copy and no backup. It cannot be undone. ' +
      'Every other database under the same subject root, a restored copy say, loses all its subjects: give a copy a root file of its own. ' +
      'Look first, with --dry-run.',
    'SUBJECT_ROOT_FILE=/etc/fieldseal/subject-root fieldseal erase --subject 42 --dry-run',
  )
    .requiredOption('--subject <id>', 'the subject, as its column has it')
    .option('--tenant <id>', 'its tenant, where the declaration has tenants')
    .option('--dry-run', 'show what it would reach and what would remain; write nothing')
    .option('--abandon-unreadable', 'go on although keys of others do not open; those are lost for good')
    .action(async (flags: { subject: string; tenant?: string; dryRun?: true; abandonUnreadable?: true }) => {
      const { eraseSubject } = await import('../usecases/erase-subject.js');
      const { openSubjectReach } = await import('../usecases/subject-reach.js');
      const deps = dependencies();
      const report = await eraseSubject(
        { ...deps, openReach: () => openSubjectReach(deps) },
        {
          subject: flags.subject,
          tenant: flags.tenant ?? null,
          dryRun: flags.dryRun ?? false,
          abandonUnreadable: flags.abandonUnreadable ?? false,
        },
      );
      if (!report.dryRun && !report.wasErased) deps.notify({ type: 'warning', text: AFTER_ERASING });
      output().result({ ...report }, renderErasure(report));
    });

  const keys = command(
    'subject-keys',
    'Make the keys of subjects, and keep wrapped copies of them. SUBJECT_ROOT_FILE names the file with the root that wraps them.',
    'fieldseal subject-keys export subject-keys.ndjson',
  );
  keys
    .command('create')
    .description('Make the keys of subjects that have none. (Sweeps and applications make them as well.)')
    .argument('<ids...>', 'subjects, as their column has them')
    .option('--tenant <id>', 'their tenant, where the declaration has tenants')
    .action(async (subjects: string[], { tenant }: { tenant?: string }) => {
      const { createSubjectKeys } = await import('../usecases/create-subject-keys.js');
      const made = await createSubjectKeys(dependencies(), { subjects, tenant: tenant ?? null });
      output().result(
        { ...made },
        `${formatCount(made.created)} key(s) made, ${formatCount(made.subjects - made.created)} were there.`,
      );
    });
  keys
    .command('export')
    .description(
      'Write all keys, wrapped as they are, to a new file: with it, backups from before an erasure stay of use.',
    )
    .argument('<file>', 'the new file; nothing may have that name yet')
    .action(async (to: string) => {
      const { exportSubjectKeys } = await import('../usecases/move-subject-keys.js');
      const report = await exportSubjectKeys(dependencies(), { to });
      output().result(
        { ...report },
        `${report.file}: the keys of ${formatCount(report.subjects)} subject(s), ${formatCount(report.erased)} erased, under the root ${report.root}\n` +
          'Without the subject root nobody can use it. It holds no key of those who are erased.',
      );
    });
  keys
    .command('import')
    .description('Put keys of an export where they are missing or do not open. Nobody who is erased comes back.')
    .argument('<file>', 'the export')
    .option('--restored', 'the database was restored from a backup that is older than an erasure')
    .action(async (from: string, { restored }: { restored?: true }) => {
      const { importSubjectKeys } = await import('../usecases/move-subject-keys.js');
      const report = await importSubjectKeys(dependencies(), { from, restored: restored ?? false });
      const { added, replaced, kept, erased, stayErased, unreadable } = report;
      const lost = unreadable > 0 ? `${formatCount(unreadable)} key(s) in the database still do not open.\n` : '';
      output().result(
        { ...report },
        `${formatCount(added)} key(s) added, ${formatCount(replaced)} replaced, ${formatCount(kept)} kept as they open; ` +
          `${formatCount(erased)} subject(s) erased, ${formatCount(stayErased)} stay erased.\n${lost}`,
      );
      if (unreadable > 0) setExitCode(EXIT.failures);
    });
}
