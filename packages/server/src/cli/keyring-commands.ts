/** `keyring list`, `add`, `promote`, `disable`, `enable`, `destroy` and `rewrap`. */
import { type Command, Option } from 'commander';
import type { ChangedKey } from '../usecases/change-stored-keyring.js';
import { CHANGEABLE_PURPOSES, type ChangeablePurpose } from '../usecases/changeable-purposes.js';
import type { Dependencies } from '../usecases/dependencies.js';
import { type KeySources, readKeyArgument } from './key-argument.js';
import type { Output } from './output.js';
import { renderKeyring } from './render.js';

/** What these commands need of the program around them. */
export interface KeyringCommands {
  command(name: string, description: string, example: string): Command;
  dependencies(): Dependencies;
  output(): Output;
  readonly keySources: KeySources;
}

interface KeyFlags {
  readonly purpose: ChangeablePurpose;
}

/** What an operator says of a key that is to stop reading. */
interface LastFlags extends KeyFlags {
  readonly dropped: readonly string[];
  /** What `--no-…` sets to false. */
  readonly processHasIt: boolean;
}

/** Adds the commands. */
export function addKeyringCommands({ command, dependencies, output, keySources }: KeyringCommands): void {
  const keyring = command('keyring', 'Look at the stored keys, and change them.', 'fieldseal keyring list');
  const about = (name: string, description: string) =>
    keyring
      .command(name)
      .description(description)
      .addOption(
        new Option('--purpose <purpose>', 'of the fields, or of the blind indexes')
          .choices(CHANGEABLE_PURPOSES)
          .default('field'),
      );
  const aboutLast = (name: string, description: string) =>
    about(name, description)
      .option(
        '--dropped <table.column>',
        'had values under it, and was dropped or decrypted since; may be given again',
        (column: string, before: readonly string[]) => [...before, column],
        [],
      )
      .option('--no-process-has-it', "with keys: 'env': no process has it in its environment any more");
  const changed = (key: ChangedKey, sentence: string) => output().result({ ...key }, sentence);

  keyring
    .command('list')
    .description('List key versions and states, never their bytes.')
    .action(async () => {
      const { listKeys } = await import('../usecases/list-keys.js');
      const result = await listKeys(dependencies());
      output().result({ ...result }, renderKeyring(result));
    });

  about('add', 'Add a random key, pending: the next rotation moves to it.').action(async ({ purpose }: KeyFlags) => {
    const { addPendingKey } = await import('../usecases/add-key.js');
    const key = await addPendingKey(dependencies(), purpose);
    changed(key, `${key.version} is pending.`);
  });

  about('promote', 'Let a key write, once every process has loaded it. Values stay where they are until a rotation.')
    .argument('<version>', 'a pending or active key: v2')
    .action(async (version: string, { purpose }: KeyFlags) => {
      const { promoteStoredKey } = await import('../usecases/promote-key.js');
      changed(await promoteStoredKey(dependencies(), { version, purpose }), `${version} is the primary key.`);
    });

  aboutLast('disable', 'Take a key out of reading. `keyring enable` brings it back.')
    .argument('<version>', 'an active key: v1')
    .option('--force', 'although values are under it: nobody can read them meanwhile')
    .action(async (version: string, { purpose, dropped, processHasIt, force }: LastFlags & { force?: true }) => {
      const { disableStoredKey } = await import('../usecases/disable-key.js');
      const key = await disableStoredKey(dependencies(), {
        version,
        purpose,
        dropped,
        noProcessHasIt: !processHasIt,
        force: force ?? false,
      });
      changed(key, `${version} is disabled. \`fieldseal keyring enable ${version}\` brings it back.`);
    });

  about('enable', 'Let a disabled key read again.')
    .argument('<version>', 'a disabled key: v1')
    .action(async (version: string, { purpose }: KeyFlags) => {
      const { enableStoredKey } = await import('../usecases/enable-key.js');
      changed(await enableStoredKey(dependencies(), { version, purpose }), `${version} is active again.`);
    });

  aboutLast(
    'destroy',
    'Forget the bytes of a disabled key, for good. Refused while anything may still need it; says what. Without --yes it only looks.',
  )
    .argument('<version>', 'a disabled key: v1')
    .option('--yes', 'really destroy it')
    .option('--now', 'without waiting until it has been disabled for 7 days')
    .option('--abandon-backups', 'although backups hold values under it')
    .action(async (version: string, flags: LastFlags & { yes?: true; now?: true; abandonBackups?: true }) => {
      const { destroyStoredKey } = await import('../usecases/destroy-key.js');
      const key = await destroyStoredKey(dependencies(), {
        version,
        purpose: flags.purpose,
        dropped: flags.dropped,
        noProcessHasIt: !flags.processHasIt,
        confirmed: flags.yes ?? false,
        now: flags.now ?? false,
        abandonBackups: flags.abandonBackups ?? false,
      });
      changed(key, `${version} is destroyed.`);
    });

  keyring
    .command('rewrap')
    .description(
      'Wrap the keyring under a new root key as well; with --finalize, under that alone. env:NAME takes the key from the ' +
        'environment and - from a line of standard input.',
    )
    .argument('<root>', 'the new root key')
    .option('--finalize', 'once every process has the new root: let the old one open the keyring no more')
    .action(async (argument: string, { finalize }: { finalize?: true }) => {
      const to = await readKeyArgument(argument, 'the new root', keySources);
      const { rewrapKeyring } = await import('../usecases/rewrap-keyring.js');
      const result = await rewrapKeyring(dependencies(), { to, finalize: finalize ?? false });
      output().result(
        { ...result },
        result.roots.length > 1
          ? `The keyring opens under ${result.roots.join(' and ')}. Give every process ROOT_KEY with the new root; then: fieldseal keyring rewrap NEW --finalize`
          : `The keyring opens under ${result.root} alone.`,
      );
    });
}
