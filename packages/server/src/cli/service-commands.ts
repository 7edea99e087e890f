/** The commands around the REST service: `serve`, `jwt`, `api-keys`, `audit`. */
import type { Command } from 'commander';
import { FieldsealError } from 'fieldseal';
import type { Dependencies } from '../usecases/dependencies.js';
import type { JwtSettings } from '../usecases/principals.js';
import { OPERATOR_ACTOR, type Service, type ServiceSettings } from '../usecases/service.js';
import { parseDuration } from './duration.js';
import type { Output } from './output.js';
import { positiveNumber } from './parse-number.js';
import { renderApiKeys } from './render.js';

/** What these commands need of the program around them. */
export interface ServiceCommands {
  command(name: string, description: string, example: string): Command;
  dependencies(): Dependencies;
  output(): Output;
  settings(): ServiceSettings;
  jwt(): Promise<JwtSettings>;
  serve(output: Output): Promise<void>;
}

const LISTED_KEYS = 500;

/** Details are JSON, except in rows of the Python original and of code that wrote plain text. */
function parsed(details: string | null): unknown {
  try {
    return details === null ? null : JSON.parse(details);
  } catch {
    return details;
  }
}

function csvCell(value: unknown): string {
  const text = value === null ? '' : String(value);
  // A cell that a spreadsheet would take for a formula is made text (OWASP, CSV injection).
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Adds the commands. */
export function addServiceCommands({ command, dependencies, output, settings, jwt, serve }: ServiceCommands): void {
  const inService = async <T>(work: (service: Service) => Promise<T>): Promise<T> => {
    const { withService } = await import('../usecases/with-service.js');
    return withService(dependencies(), settings(), work);
  };

  command('serve', 'Serve the REST API; HOST and PORT say where (127.0.0.1:8000).', 'PORT=8080 fieldseal serve').action(
    async () => {
      await serve(output());
    },
  );

  command(
    'jwt',
    'Print a bearer token for the REST API, signed with AUTH_JWT_SECRET.',
    'fieldseal jwt --user 1 --admin --ttl 15m',
  )
    .requiredOption('--user <id>', 'the subject: whose keys and audit rows it concerns')
    .option('--admin', 'may see everybody’s, and rotate')
    .option('--scopes <list>', 'further scopes, comma-separated')
    .option('--ttl <duration>', 'how long it is valid', parseDuration, 3600)
    .action(async (flags: { user: string; admin?: true; scopes?: string; ttl: number }) => {
      if (!/^[!-~]{1,255}$/.test(flags.user))
        throw new FieldsealError('ERR_TOKEN_INVALID', '--user must be printable ASCII without spaces.');
      const scopes = (flags.scopes ?? '')
        .split(',')
        .map((scope) => scope.trim())
        .filter((scope) => scope !== '');
      const { signJwt } = await import('../usecases/principals.js');
      const token = await signJwt(
        await jwt(),
        { subject: flags.user, isAdmin: flags.admin ?? false, scopes, ttlSeconds: flags.ttl },
        Math.floor(Date.now() / 1000),
      );
      output().result({ token }, token);
    });

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

  command('audit', 'Look at the audit log.', 'fieldseal audit export --action api_key_created > audit.ndjson')
    .command('export')
    .description('Print audit rows, newest first: JSON lines, or CSV.')
    .option('--action <name>', 'only this action')
    .option('--user <id>', 'only what this user did')
    .option('--csv', 'as CSV')
    .action(async (flags: { action?: string; user?: string; csv?: true }) => {
      const filter = { ...(flags.action && { action: flags.action }), ...(flags.user && { userId: flags.user }) };
      const columns = [
        'id',
        'timestamp',
        'userId',
        'action',
        'resourceType',
        'resourceId',
        'status',
        'ipAddress',
        'requestId',
        'userAgent',
        'details',
      ] as const;
      const { exportAuditLogs } = await import('../usecases/export-audit-logs.js');
      const { withReadOnlyStore } = await import('../usecases/list-runs.js');
      const deps = dependencies();
      if (flags.csv) output().raw(`${columns.join(',')}\r\n`);
      await withReadOnlyStore(deps, async (store) => {
        for await (const row of exportAuditLogs({ store }, filter)) {
          output().raw(
            flags.csv
              ? `${columns.map((name) => csvCell(row[name])).join(',')}\r\n`
              : `${JSON.stringify({ ...row, details: parsed(row.details) })}\n`,
          );
        }
      });
    });
}
