/** The commands of API keys. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { FieldsealError } from 'fieldseal';
import type { LimitsInput } from '../usecases/api-key-limits.js';
import { API_KEY_STATES } from '../usecases/api-key-view.js';
import type { NewApiKeyInput } from '../usecases/create-api-key.js';
import type { ApiKeyPage } from '../usecases/list-api-keys.js';
import { OPERATOR_ACTOR, type Service } from '../usecases/service.js';
import { parseDuration } from './duration.js';
import { positiveNumber } from './parse-number.js';
import { apiKeyJson, renderApiKey, renderApiKeys } from './render.js';
import type { ServiceCommands } from './service-commands.js';

const LISTED_KEYS = 500;

/** Takes a limit off. */
const NONE = 'none';
type None = typeof NONE;

/** The limits on the command line. */
interface LimitFlags {
  readonly allowedIps?: string[] | None;
  readonly rateLimit?: number | None;
  readonly rateWindow?: number | None;
  readonly quota?: number | None;
  readonly metadata?: Record<string, unknown> | None;
}

const parsedOrNone =
  <T>(parse: (text: string) => T) =>
  (text: string): T | None =>
    text === NONE ? NONE : parse(text);

function jsonObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {}
  throw new InvalidArgumentError('It must be a JSON object.');
}

/** The options of limits; where there may be limits already, `none` takes one off. */
function limitOptions(command: Command, canTakeOff: boolean): Command {
  const said = canTakeOff ? '; none takes it off' : '';
  const orNone = canTakeOff ? parsedOrNone : <T>(parse: (text: string) => T) => parse;
  const list = (text: string) => text.split(',').map((part) => part.trim());
  return command
    .option('--allowed-ips <list>', `addresses and networks it may be used from, comma-separated${said}`, orNone(list))
    .option('--rate-limit <n>', `uses in each --rate-window${said}`, orNone(positiveNumber))
    .option('--rate-window <duration>', 'the window of --rate-limit: 60s, a day at most', orNone(parseDuration))
    .option('--quota <n>', `uses in all${said}`, orNone(positiveNumber))
    .option('--metadata <json>', `a JSON object of your own; it is not encrypted${said}`, orNone(jsonObject));
}

function limitsOf({ allowedIps, rateLimit, rateWindow, quota, metadata }: LimitFlags): LimitsInput {
  const orNull = <T>(value: T | None) => (value === NONE ? null : value);
  return {
    ...(allowedIps !== undefined && { allowed_ips: orNull(allowedIps) }),
    ...(rateLimit !== undefined && { rate_limit: orNull(rateLimit) }),
    ...(rateWindow !== undefined && { rate_window_seconds: orNull(rateWindow) }),
    ...(quota !== undefined && { quota: orNull(quota) }),
    ...(metadata !== undefined && { metadata: orNull(metadata) }),
  };
}

/** Adds `api-keys` and what stands under it. */
export function addApiKeyCommands({ command, dependencies, output, settings }: ServiceCommands): void {
  const inService = async <T>(work: (service: Service) => Promise<T>): Promise<T> => {
    const { withService } = await import('../usecases/with-service.js');
    return withService(dependencies(), settings(), work);
  };

  const keys = command(
    'api-keys',
    'Issue, list, change, reroll and revoke API keys.',
    'fieldseal api-keys create --user 1 --name CI --scopes read:projects\n' +
      '  fieldseal api-keys update 1 --rate-limit 100 --rate-window 1m\n' +
      '  fieldseal api-keys reroll 1 --grace 1d',
  );
  limitOptions(
    keys
      .command('create')
      .description('Issue a key. It is printed this once.')
      .requiredOption('--user <id>', 'the owner')
      .requiredOption('--name <name>', 'something to know it by')
      .option('--scopes <list>', 'what it may do, comma-separated', '')
      .option('--expires-in-days <n>', 'default: API_KEY_EXPIRY_DAYS, 30', positiveNumber),
    false,
  ).action(async (flags: LimitFlags & { user: string; name: string; scopes: string; expiresInDays?: number }) => {
    const input = {
      name: flags.name,
      scopes: flags.scopes,
      ...(flags.expiresInDays && { expires_in_days: flags.expiresInDays }),
      ...limitsOf(flags),
    };
    const { createApiKey } = await import('../usecases/create-api-key.js');
    const created = await inService((service) => createApiKey(service, input as NewApiKeyInput, flags.user));
    output().note(
      `Key ${created.id} of user ${created.userId}, valid until ${created.expiresAt}. It is shown this once:`,
    );
    output().result(apiKeyJson(created), created.key);
  });
  keys
    .command('list')
    .description('List the newest 500 keys, without the keys.')
    .option('--user <id>', 'only this owner’s')
    .addOption(new Option('--state <state>', 'only those in this state').choices([...API_KEY_STATES]))
    .option('--prefix <prefix>', 'only the one with this prefix: pk_abc123')
    .option('--expires-before <time>', 'only those that end before it: 2026-03-28T10:00:00Z')
    .option('--expires-after <time>', 'only those that end at it, after it or never')
    .action(async (flags: Omit<ApiKeyPage, 'limit'> & { user?: string }) => {
      const { user, ...filter } = flags;
      const { listApiKeys } = await import('../usecases/list-api-keys.js');
      const listed = await inService((service) =>
        listApiKeys(service, OPERATOR_ACTOR, { ...filter, limit: LISTED_KEYS }, user ?? null),
      );
      output().result({ keys: listed.map(apiKeyJson) }, renderApiKeys(listed));
    });
  keys
    .command('show')
    .description('Show a key with its limits, its metadata and what became of it.')
    .argument('<id>', 'the id of a key', positiveNumber)
    .action(async (id: number) => {
      const { getApiKey } = await import('../usecases/get-api-key.js');
      const key = await inService((service) => getApiKey(service, id, OPERATOR_ACTOR));
      output().result(apiKeyJson(key), renderApiKey(key));
    });
  limitOptions(
    keys
      .command('update')
      .description('Change the name, the limits or the metadata of a key. What is not given stays.')
      .argument('<id>', 'the id of a key', positiveNumber)
      .option('--name <name>', 'something to know it by'),
    true,
  ).action(async (id: number, flags: LimitFlags & { name?: string }) => {
    const input = { ...(flags.name !== undefined && { name: flags.name }), ...limitsOf(flags) };
    if (Object.keys(input).length === 0)
      throw new FieldsealError(
        'ERR_USAGE',
        'Say what to change: --name, --allowed-ips, --rate-limit, --quota, --metadata.',
      );
    const { updateApiKey } = await import('../usecases/update-api-key.js');
    const key = await inService((service) => updateApiKey(service, id, input, OPERATOR_ACTOR));
    output().result(apiKeyJson(key), renderApiKey(key));
  });
  keys
    .command('reroll')
    .description('Put a new key in the place of one. It is printed this once.')
    .argument('<id>', 'the id of a key', positiveNumber)
    .option(
      '--grace <duration>',
      'how long the old key goes on, unless it ends before (default: it ends now)',
      parseDuration,
    )
    .action(async (id: number, { grace }: { grace?: number }) => {
      const { rerollApiKey } = await import('../usecases/reroll-api-key.js');
      const rerolled = await inService((service) =>
        rerollApiKey(service, id, { ...(grace !== undefined && { grace_seconds: grace }) }, OPERATOR_ACTOR),
      );
      const end = rerolled.expiresAt === null ? 'without an end' : `valid until ${rerolled.expiresAt}`;
      output().note(
        `Key ${rerolled.id} of user ${rerolled.userId}, ${end}; key ${id} ends at ${rerolled.previousExpiresAt}. It is shown this once:`,
      );
      output().result(apiKeyJson(rerolled), rerolled.key ?? '');
    });
  for (const [verb, description] of [
    ['disable', 'Take a key out of use; it can be enabled again.'],
    ['enable', 'Take a disabled key into use again.'],
  ] as const) {
    keys
      .command(verb)
      .description(description)
      .argument('<id>', 'the id of a key', positiveNumber)
      .action(async (id: number) => {
        const { disableApiKey, enableApiKey } = await import('../usecases/switch-api-key.js');
        const use = verb === 'disable' ? disableApiKey : enableApiKey;
        const key = await inService((service) => use(service, id, OPERATOR_ACTOR));
        output().result(apiKeyJson(key), `Key ${id} (${key.prefix}) is ${verb}d.`);
      });
  }
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
      output().result(apiKeyJson(revoked), `Key ${id} (${revoked.prefix}) is revoked.`);
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
