/** Commands that are refused, in the audit log: those that would have changed something. */
import type { Command } from 'commander';
import type { ErrorCode } from 'fieldseal';
import type { Dependencies } from '../usecases/dependencies.js';

/** The other ones: they look, hand on what is there, or wait for work. */
export const CHANGE_NOTHING: readonly string[] = [
  'keygen',
  'scan',
  'verify',
  'plan-index',
  'status',
  'worker',
  'schedule list',
  'keyring list',
  'api-keys list',
  'api-keys show',
  'audit export',
  'audit search',
  'audit stream',
  'audit keygen',
  'audit public-key',
  'audit verify',
  'audit checkpoint',
  'audit proof',
  'audit consistency',
  'audit leaves',
  'backup verify',
];

/** The words of a command, without the program's own: `keyring destroy`. */
function nameOf(command: Command): string {
  const words: string[] = [];
  for (let at = command; at.parent; at = at.parent) words.unshift(at.name());
  return words.join(' ');
}

/** Never fails: what stopped the command is what is told of it. */
export async function recordRefusal(deps: Dependencies, command: Command, code: ErrorCode): Promise<void> {
  const name = nameOf(command);
  if (CHANGE_NOTHING.includes(name) || command.opts<{ dryRun?: true }>().dryRun) return;
  const { recordRefusedCommand } = await import('../usecases/record-refused-command.js');
  await recordRefusedCommand(deps, { command: name, code }).catch(() => {});
}
