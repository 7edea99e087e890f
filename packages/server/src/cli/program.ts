/**
 * The commands: argv → use case → output and exit code. Each loads its use case when it runs: loading all of them, and the
 * SQL libraries with them, takes longer than most commands need.
 */

import { Command, CommanderError, Option } from 'commander';
import { type ErrorCode, Fernet, FieldsealError, isFieldsealError } from 'fieldseal';
import type { Dependencies } from '../usecases/dependencies.js';
import type { SweepOptions, SweepReport } from '../usecases/drive-run.js';
import type { JwtSettings } from '../usecases/principals.js';
import type { GivenRotation } from '../usecases/rotate-keys.js';
import type { NoteSigner } from '../usecases/seal-audit.js';
import type { ServiceSettings } from '../usecases/service.js';
import { addApiKeyCommands } from './api-key-commands.js';
import { addAuditCommands } from './audit-commands.js';
import { addAuditTreeCommands } from './audit-tree-commands.js';
import { addBackupCommands } from './backup-commands.js';
import { parseDuration } from './duration.js';
import { EXIT, EXIT_CODES } from './exit-codes.js';
import { addIndexCommands } from './index-commands.js';
import { type KeySources, protectKey, readKeyArgument } from './key-argument.js';
import { addKeyringCommands } from './keyring-commands.js';
import { Output, type Terminal } from './output.js';
import { positiveNumber } from './parse-number.js';
import { recordRefusal } from './refused-commands.js';
import { renderReport, renderRun, renderRuns, renderScan } from './render.js';
import { addScheduleCommands } from './schedule-commands.js';
import { addServiceCommands, type ServiceCommands } from './service-commands.js';
import { addSubjectCommands } from './subject-commands.js';

/** What the composition root hands over. */
export interface CliContext extends KeySources {
  readonly version: string;
  readonly terminal: Terminal;
  /** `AUTH_JWT_SECRET` and what belongs to it. @throws FieldsealError `ERR_CONFIG_INVALID` */
  jwt(): Promise<JwtSettings>;
  settings(): ServiceSettings & { readonly backupEncrypted: boolean };
  /** Who signs checkpoints of the audit log; null: nobody. @throws FieldsealError of the variables that say so */
  auditSigner(): NoteSigner | null;
  auditLogName(): string;
  /** The text of a file that an option names. @throws FieldsealError `ERR_USAGE` */
  readFile(path: string): string;
  /** Serves until the process is asked to end. */
  serve(
    config: string | null,
    output: { onListening(address: string): void; onAdvice(text: string): void },
  ): Promise<void>;
  /** Reads the environment; called once, and not for commands that need no database. */
  dependencies(options: { readonly config: string | null; readonly notify: Dependencies['notify'] }): Dependencies;
}

export interface SweepFlags {
  readonly dryRun?: true;
  readonly maxRowsPerSecond?: number;
  readonly maxReplicationLag?: number;
  readonly allowTriggers?: true;
  readonly concurrency?: number;
}

function sweepOptions(flags: SweepFlags): SweepOptions {
  const { dryRun, maxRowsPerSecond, maxReplicationLag, allowTriggers, concurrency } = flags;
  return {
    dryRun: dryRun ?? false,
    maxRowsPerSecond: maxRowsPerSecond ?? null,
    maxReplicationLagSeconds: maxReplicationLag ?? null,
    allowTriggers: allowTriggers ?? false,
    lanes: concurrency ?? null,
  };
}

/** How many ranges a process walks at the same time. */
function concurrencyOption(): Option {
  return new Option('--concurrency <n>', 'on PostgreSQL: ranges walked at the same time (default: 2)').argParser(
    positiveNumber,
  );
}

/** How far behind standbys may be. */
function replicationLagOption(): Option {
  return new Option(
    '--max-replication-lag <duration>',
    'on PostgreSQL: wait while a standby is further behind, 10s say (needs pg_monitor)',
  ).argParser(parseDuration);
}

/** Adds the options that every sweep has. */
function sweepCommand(command: Command, writes: boolean): Command {
  command.addOption(new Option('--max-rows-per-second <n>', 'go no faster than this').argParser(positiveNumber));
  command.addOption(replicationLagOption());
  command.addOption(concurrencyOption());
  if (!writes) return command;
  return command
    .option('--dry-run', 'really decrypt and encrypt, in memory; write nothing')
    .option('--allow-triggers', 'sweep although a trigger runs on every update');
}

/** Runs one command line and returns its exit code. Nothing is thrown. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  let exitCode: number = EXIT.done;
  let output = new Output(context.terminal, argv.includes('--json'));
  const program = new Command('fieldseal')
    .description('Encrypts, rotates and verifies database fields online.')
    .version(context.version)
    .option('--json', 'print JSON lines for programs')
    .option('--config <file>', 'the declaration of tables and columns (default: fieldseal.config.ts or .js here)')
    .configureOutput({
      writeOut: (text) => context.terminal.out(text),
      // With --json a mistake on the command line is a JSON line like any other error.
      writeErr: (text) => argv.includes('--json') || context.terminal.err(text),
    })
    .exitOverride()
    .addHelpText(
      'after',
      `
Environment (a .env file is read too):
  ENCRYPTION_KEY           a Fernet key; make one with \`fieldseal keygen\`
  ENCRYPTION_KEY_PREVIOUS  more keys that only read, comma-separated
  ROOT_KEY                 wraps the stored keyring in the place of ENCRYPTION_KEY
  SUBJECT_ROOT_FILE        the file with the root that wraps the keys of subjects (schemes xaes-subject, erase)
  DATABASE_URL             sqlite:PATH (default: sqlite:fieldseal.db) or postgres://USER:PASSWORD@HOST/DATABASE
  DATABASE_SCHEMA          PostgreSQL: where the service's own tables are (default: fieldseal)
  AUTH_JWT_SECRET          signs and verifies tokens for the REST API; at least 32 bytes
  AUTH_JWKS_URL            in its place: where an identity provider publishes its keys; with AUTH_ISSUER, AUTH_AUDIENCE
  AUDIT_SIGNING_KEY_FILE   the file with the Ed25519 key that signs checkpoints of the audit log; \`fieldseal audit keygen\`
  AUDIT_LOG_NAME           what the audit log is called in its checkpoints (default: fieldseal)
  AUDIT_WEBHOOK_SECRET     signs what \`audit stream --webhook\` sends; at least 32 bytes
  BACKUP_PASSPHRASE        locks backups; or BACKUP_RECIPIENTS, opened with BACKUP_IDENTITY
Keys may also be given in files: ENCRYPTION_KEY_FILE and so on. Settings of \`serve\` alone are in docs/operations.md.

Exit codes: 0 done, 1 finished with failures, 2 usage or configuration, 3 stopped and resumable.

Example, the first day:
  fieldseal keygen
  fieldseal scan
  fieldseal encrypt --dry-run
  fieldseal encrypt`,
    );

  let running = program;
  program.hook('preAction', (_program, command) => {
    running = command;
  });
  /** Writes down that the command is refused, once it is known in which database. */
  let refused = async (_code: ErrorCode): Promise<void> => {};

  /** A command whose options may also stand before its name. */
  const command = (name: string, description: string, example: string): Command =>
    program.command(name).description(description).addHelpText('after', `\nExample:\n  ${example}`);
  const dependencies = (): Dependencies => {
    const { json, config } = program.opts<{ json?: true; config?: string }>();
    output = new Output(context.terminal, json ?? false);
    const deps = context.dependencies({ config: config ?? null, notify: (notice) => output.notice(notice) });
    refused = (code) => recordRefusal(deps, running, code);
    return deps;
  };
  const report = (result: SweepReport) => {
    output.result({ ...result }, renderReport(result));
    if (result.status !== 'completed') exitCode = EXIT.failures;
  };
  const sweep = async (kind: 'encrypt' | 'decrypt' | 'verify', flags: SweepFlags): Promise<SweepReport> => {
    const { sweepTables } = await import('../usecases/sweep-tables.js');
    return sweepTables(dependencies(), kind, sweepOptions(flags));
  };
  const given = async (old: string | undefined, fresh: string | undefined): Promise<GivenRotation | null> => {
    if (old === undefined) return null;
    if (fresh === undefined)
      throw new FieldsealError('ERR_USAGE', 'rotate takes no key or two: `fieldseal rotate OLD NEW`.');
    return { from: await readKeyArgument(old, 'OLD', context), to: await readKeyArgument(fresh, 'NEW', context) };
  };

  command('keygen', 'Print a new Fernet key.', 'echo "ENCRYPTION_KEY=$(fieldseal keygen)" >> .env').action(() => {
    const key = Fernet.generateKey();
    output.result({ key }, key);
  });

  command('scan', 'Find columns that hold tokens, plaintext or personal data; write nothing.', 'fieldseal scan').action(
    async () => {
      const { scanDatabase } = await import('../usecases/scan-database.js');
      const result = await scanDatabase(dependencies());
      output.result({ ...result }, renderScan(result));
    },
  );

  sweepCommand(
    command('encrypt', 'Encrypt the plaintext in every declared column.', 'fieldseal encrypt --dry-run'),
    true,
  ).action(async (flags: SweepFlags) => {
    const result = await sweep('encrypt', flags);
    report(result);
    if (result.status === 'completed' && !result.dryRun) {
      output.note(
        'Once every process writes this way, take what alsoReads names out of the declaration: then nobody can slip plaintext or another scheme in.',
      );
    }
  });

  sweepCommand(
    command('decrypt', 'Turn every declared column back into plaintext.', 'fieldseal decrypt --dry-run'),
    true,
  ).action(async (flags: SweepFlags) => report(await sweep('decrypt', flags)));

  sweepCommand(
    command('verify', 'Read every value and count what each key holds; write nothing.', 'fieldseal verify --json'),
    false,
  ).action(async (flags: SweepFlags) => report(await sweep('verify', flags)));

  sweepCommand(
    command(
      'rotate [OLD] [NEW]',
      'Move every value to a new key: a random one, or from OLD to NEW. Keys given in full show in the process list; ' +
        'env:NAME takes one from the environment and - from a line of standard input.',
      'fieldseal rotate env:OLD_KEY env:NEW_KEY --dry-run',
    ),
    true,
  )
    .option('--finalize', 'after rotate OLD NEW: verify, then let OLD open the keyring no more')
    .action(async (old: string | undefined, fresh: string | undefined, flags: SweepFlags & { finalize?: true }) => {
      const keys = await given(old, fresh);
      if (flags.finalize && !keys)
        throw new FieldsealError('ERR_USAGE', '--finalize needs both keys: `fieldseal rotate OLD NEW --finalize`.');
      const deps = dependencies();
      if (flags.finalize && keys) {
        const { finalizeRotation } = await import('../usecases/finalize-rotation.js');
        report(await finalizeRotation(deps, keys));
        output.note('OLD no longer opens the keyring. It stays in it, for reading old backups.');
        return;
      }
      if (keys) {
        output.note(
          'Readers that know only OLD cannot read what this writes: they need both keys first ' +
            '(ENCRYPTION_KEY=OLD, ENCRYPTION_KEY_PREVIOUS=NEW).',
        );
      } else output.note('Readers that know only ENCRYPTION_KEY (an old Python process) cannot read what this writes.');
      const { rotateKeys } = await import('../usecases/rotate-keys.js');
      const result = await rotateKeys(deps, { ...sweepOptions(flags), given: keys });
      report(result);
      if (keys && !result.dryRun) {
        output.note('ENCRYPTION_KEY must now become NEW everywhere; then: fieldseal rotate OLD NEW --finalize');
      }
    });

  addIndexCommands({ command, sweepCommand, dependencies, output: () => output, sweepOptions, report });

  command('status', 'List the runs, or show one with what it could not read.', 'fieldseal status 3')
    .argument('[run]', 'the id of a run', positiveNumber)
    .action(async (id: number | undefined) => {
      const { getRun, listRuns } = await import('../usecases/list-runs.js');
      if (id === undefined) {
        const runs = await listRuns(dependencies());
        output.result({ runs }, renderRuns(runs));
      } else {
        const run = await getRun(dependencies(), id);
        output.result({ run }, renderRun(run));
      }
    });

  for (const [name, status] of [
    ['pause', 'paused'],
    ['cancel', 'cancelled'],
  ] as const) {
    command(name, `Stop a run, wherever it is driven${name === 'cancel' ? ', for good' : ''}.`, `fieldseal ${name} 3`)
      .argument('<run>', 'the id of a run', positiveNumber)
      .action(async (id: number) => {
        const { stopRun } = await import('../usecases/stop-run.js');
        await stopRun(dependencies(), id, status);
        output.result({ run: id, status }, `Run ${id} is ${status}.`);
      });
  }

  sweepCommand(command('resume', 'Go on with an unfinished run from its checkpoint.', 'fieldseal resume 3'), false)
    .argument('<run>', 'the id of a run', positiveNumber)
    .option('--allow-triggers', 'sweep although a trigger runs on every update')
    .action(async (id: number, flags: SweepFlags) => {
      const { resumeRun } = await import('../usecases/resume-run.js');
      report(await resumeRun(dependencies(), id, sweepOptions(flags)));
    });

  command(
    'worker',
    'Take part in every run: drive what nobody drives, and help on PostgreSQL, until it is stopped.',
    'fieldseal worker --concurrency 4',
  )
    .addOption(concurrencyOption())
    .addOption(replicationLagOption())
    .action(async ({ concurrency, maxReplicationLag }: Pick<SweepFlags, 'concurrency' | 'maxReplicationLag'>) => {
      const { workOnRuns } = await import('../usecases/work-on-runs.js');
      const how = { lanes: concurrency ?? null, maxReplicationLagSeconds: maxReplicationLag ?? null };
      await workOnRuns(dependencies(), how);
    });

  command(
    'fail',
    'End a run that no process drives as failed. (cancel ends any.)',
    'fieldseal fail 3 --reason "disk lost"',
  )
    .argument('<run>', 'the id of a run', positiveNumber)
    .option('--reason <text>', 'why; kept beside the run')
    .action(async (id: number, { reason }: { reason?: string }) => {
      const { failUndrivenRun } = await import('../usecases/fail-run.js');
      await failUndrivenRun(dependencies(), id, reason ?? null);
      output.result({ run: id, status: 'failed' }, `Run ${id} is failed.`);
    });

  addScheduleCommands({ command, dependencies, output: () => output });

  addKeyringCommands({ command, dependencies, output: () => output, keySources: context });

  const serviceCommands: ServiceCommands = {
    command,
    dependencies,
    output: () => output,
    settings: context.settings,
    jwt: context.jwt,
    stdinLines: () => context.stdinLines(),
    env: (name) => context.env[name] || undefined,
    serve: (to) =>
      context.serve(program.opts<{ config?: string }>().config ?? null, {
        onListening: (address) => to.note(`Fieldseal listens on ${address}, the API under /api/encryption`),
        onAdvice: (text) => to.note(`warning: ${text}`),
      }),
  };
  addServiceCommands(serviceCommands);
  addApiKeyCommands(serviceCommands);
  addAuditTreeCommands(addAuditCommands(serviceCommands), {
    dependencies,
    output: () => output,
    auditSigner: context.auditSigner,
    auditLogName: context.auditLogName,
    readFile: context.readFile,
    setExitCode: (code) => {
      exitCode = code;
    },
  });

  addBackupCommands({
    command,
    dependencies,
    output: () => output,
    env: (name) => context.env[name] || undefined,
    encrypted: () => context.settings().backupEncrypted,
  });

  addSubjectCommands({
    command,
    dependencies,
    output: () => output,
    setExitCode: (code) => {
      exitCode = code;
    },
  });

  try {
    await program.parseAsync(argv.map(protectKey), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done;
      if (argv.includes('--json')) output.error(new FieldsealError('ERR_USAGE', error.message));
      return EXIT.usage;
    }
    const known = isFieldsealError(error)
      ? error
      : new FieldsealError(
          'ERR_INTERNAL',
          `A fault of Fieldseal itself: ${error instanceof Error ? error.name : 'unknown'}; run again with FIELDSEAL_DEBUG=1.`,
        );
    if (known !== error && context.env['FIELDSEAL_DEBUG'] === '1') context.terminal.err(`${(error as Error).stack}\n`);
    output.error(known);
    await refused(known.code);
    return EXIT_CODES[known.code];
  }
  return exitCode;
}
