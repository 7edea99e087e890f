/** The commands of the audit log. */
import type { Command } from 'commander';
import type { ServiceCommands } from './service-commands.js';

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

/** Adds `audit` and what stands under it. */
export function addAuditCommands({ command, dependencies, output }: ServiceCommands): Command {
  const audit = command(
    'audit',
    'Look at the audit log.',
    'fieldseal audit export --action api_key_created > audit.ndjson',
  );
  audit
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
  return audit;
}
