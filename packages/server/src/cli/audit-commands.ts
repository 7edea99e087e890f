/** The commands of the audit log. */
import { type Command, Option } from 'commander';
import { FieldsealError } from 'fieldseal';
import { OPERATOR_ACTOR } from '../usecases/service.js';
import { positiveNumber } from './parse-number.js';
import type { ServiceCommands } from './service-commands.js';

interface FilterFlags {
  readonly action?: string;
  readonly user?: string;
  readonly resourceType?: string;
  readonly resourceId?: string;
  readonly status?: 'success' | 'failure';
  readonly ip?: string;
  readonly from?: string;
  readonly until?: string;
}

const FOUND_ROWS = 500;

/** Adds `audit` and what stands under it. */
export function addAuditCommands({
  command,
  dependencies,
  output,
  settings,
  stdinLines,
  env,
}: ServiceCommands): Command {
  const audit = command(
    'audit',
    'Export, search, stream, seal, verify and protect the audit log.',
    'fieldseal audit export --action api_key_created > audit.ndjson\n' +
      '  fieldseal audit stream --webhook https://siem.example.com/fieldseal\n' +
      '  fieldseal audit verify --checkpoint checkpoint-monday.txt',
  );
  audit
    .command('export')
    .description('Print audit rows with their details, newest first.')
    .addOption(
      new Option('--format <name>', 'a JSON object a line, or CSV').choices(['ndjson', 'csv']).default('ndjson'),
    )
    .option('--action <name>', 'only this action')
    .option('--user <id>', 'only what this user did')
    .option('--resource-type <name>', 'only what was done to such')
    .option('--resource-id <id>', 'only what was done to this one')
    .addOption(new Option('--status <name>', 'only this outcome').choices(['success', 'failure']))
    .option('--ip <address>', 'only from this address')
    .option('--from <time>', 'from then on: 2026-02-26T10:00:00Z')
    .option('--until <time>', 'before then')
    .action(async ({ format, user, ip, ...filter }: FilterFlags & { format: 'ndjson' | 'csv' }) => {
      const { exportAuditLogs } = await import('../usecases/export-audit-logs.js');
      const { withStore } = await import('../usecases/with-service.js');
      await withStore(dependencies(), async (store) => {
        const given = {
          ...filter,
          ...(user !== undefined && { userId: user }),
          ...(ip !== undefined && { ipAddress: ip }),
        };
        for await (const text of await exportAuditLogs({ store }, OPERATOR_ACTOR, given, format)) output().raw(text);
      });
    });
  audit
    .command('search')
    .description('Print the newest rows whose details hold a sensitive value, which is read from standard input.')
    .requiredOption('--name <name>', 'what the value is called: email')
    .action(async ({ name }: { name: string }) => {
      const deps = dependencies();
      const [value = ''] = await stdinLines();
      const { searchAuditLogs } = await import('../usecases/list-audit-logs.js');
      const { ndjsonLine } = await import('../usecases/audit-lines.js');
      const { withService } = await import('../usecases/with-service.js');
      const { total, logs } = await withService(deps, settings(), (service) =>
        searchAuditLogs(service, OPERATOR_ACTOR, { name, value }, { limit: FOUND_ROWS }),
      );
      for (const row of logs) output().raw(ndjsonLine(row));
      output().note(`${total} row(s)${total > logs.length ? `, of which the newest ${logs.length}` : ''}`);
    });
  audit
    .command('stream')
    .description('Hand audit rows on as they are written, each at least once, until it is stopped.')
    .option('--to <file>', 'append them to a file, a JSON object a line')
    .option('--webhook <url>', 'POST them, signed under AUDIT_WEBHOOK_SECRET')
    .option('--name <name>', 'what the stream is known by; where it stands is kept in the database', 'default')
    .option('--behind <id>', 'a new stream begins behind this row, not with the oldest', positiveNumber)
    .option('--once', 'end when there is nothing more')
    .action(async (flags: { to?: string; webhook?: string; name: string; behind?: number; once?: true }) => {
      const { to, webhook, name, behind = 0, once = false } = flags;
      if ((to === undefined) === (webhook === undefined))
        throw new FieldsealError('ERR_USAGE', 'A stream goes to one place: --to FILE or --webhook URL.');
      const { fileSink, streamAuditLogs, webhookSink } = await import('../usecases/stream-audit-logs.js');
      const sink =
        to === undefined
          ? webhookSink({ url: webhook ?? '', secret: env('AUDIT_WEBHOOK_SECRET') ?? '' })
          : fileSink(to);
      await streamAuditLogs(dependencies(), { sink, name, behindId: behind, once });
    });
  audit
    .command('protect')
    .description('On PostgreSQL: let a role read and insert audit rows, and neither change nor delete them.')
    .requiredOption('--role <name>', 'the role that the service connects as')
    .action(async ({ role }: { role: string }) => {
      const { protectAudit } = await import('../usecases/protect-audit.js');
      const { isOwner } = await protectAudit(dependencies(), role);
      output().result(
        { role, isOwner },
        `${role} can read and insert audit rows, and neither change nor delete them. Superusers and the owner of the tables can undo that.`,
      );
      if (isOwner) output().note(`warning: ${role} is that owner; let another role own the tables.`);
    });
  return audit;
}
