/** The commands of API keys. */
import { OPERATOR_ACTOR, type Service } from '../usecases/service.js';
import { positiveNumber } from './parse-number.js';
import { renderApiKeys } from './render.js';
import type { ServiceCommands } from './service-commands.js';

const LISTED_KEYS = 500;

/** Adds `api-keys` and what stands under it. */
export function addApiKeyCommands({ command, dependencies, output, settings }: ServiceCommands): void {
  const inService = async <T>(work: (service: Service) => Promise<T>): Promise<T> => {
    const { withService } = await import('../usecases/with-service.js');
    return withService(dependencies(), settings(), work);
  };

  const keys = command(
    'api-keys',
    'Issue, list and revoke API keys.',
    'fieldseal api-keys create --user 1 --name CI --scopes read:projects',
  );
  keys
    .command('create')
    .description('Issue a key. It is printed this once.')
    .requiredOption('--user <id>', 'the owner')
    .requiredOption('--name <name>', 'something to know it by')
    .option('--scopes <list>', 'what it may do, comma-separated', '')
    .option('--expires-in-days <n>', 'default: API_KEY_EXPIRY_DAYS, 30', positiveNumber)
    .action(async (flags: { user: string; name: string; scopes: string; expiresInDays?: number }) => {
      const input = {
        name: flags.name,
        scopes: flags.scopes,
        ...(flags.expiresInDays && { expires_in_days: flags.expiresInDays }),
      };
      const { createApiKey } = await import('../usecases/create-api-key.js');
      const created = await inService((service) => createApiKey(service, input, flags.user));
      output().note(
        `Key ${created.id} of user ${created.userId}, valid until ${created.expiresAt}. It is shown this once:`,
      );
      output().result({ ...created }, created.key);
    });
  keys
    .command('list')
    .description('List the newest keys, without the keys.')
    .option('--user <id>', 'only this owner’s')
    .action(async (flags: { user?: string }) => {
      const { listApiKeys } = await import('../usecases/list-api-keys.js');
      const listed = await inService((service) =>
        listApiKeys(service, OPERATOR_ACTOR, { limit: LISTED_KEYS }, flags.user ?? null),
      );
      output().result({ keys: listed }, renderApiKeys(listed));
    });
  keys
    .command('revoke')
    .description('Revoke a key, at once and for good.')
    .argument('<id>', 'the id of a key', positiveNumber)
    .option('--reason <text>', 'why; kept beside the key')
    .action(async (id: number, { reason }: { reason?: string }) => {
      const { revokeApiKey } = await import('../usecases/revoke-api-key.js');
      const revoked = await inService((service) =>
        revokeApiKey(service, id, { ...(reason && { reason }) }, OPERATOR_ACTOR),
      );
      output().result({ ...revoked }, `Key ${id} (${revoked.prefix}) is revoked.`);
    });

  keys
    .command('take-over')
    .description(
      'Make the keys valid that the Python original issued: they have only an encrypted copy. Look first, with --dry-run.',
    )
    .option('--dry-run', 'only list them')
    .action(async ({ dryRun }: { dryRun?: true }) => {
      const { takeOverApiKeys } = await import('../usecases/take-over-api-keys.js');
      const result = await inService((service) => takeOverApiKeys(service, dryRun ?? false, OPERATOR_ACTOR));
      const unreadable =
        result.unreadable.length > 0 ? `Their copies cannot be read: ${result.unreadable.join(', ')}\n` : '';
      const what = `${result.hashed.length} key(s) ${dryRun ? 'would be' : 'are'} valid${dryRun ? '' : ' now'}.\n`;
      output().result(
        { ...result },
        (result.hashed.length > 0 ? renderApiKeys(result.hashed) : '') + unreadable + what,
      );
    });
}
