/** The audit row of a command that was refused at the command line. */
import type { ErrorCode } from 'fieldseal';
import { openStore } from '../store/open-store.js';
import type { Dependencies } from './dependencies.js';
import { auditRow, OPERATOR_ACTOR } from './service.js';

/**
 * What is asked for is understood, and not done because of the state that things are in. Not: a mistake on the command
 * line, in the configuration or in the keys, a database that fails, a run that is interrupted.
 */
const REFUSALS: readonly ErrorCode[] = [
  'ERR_KEY_NOT_FOUND',
  'ERR_KEY_STATE',
  'ERR_KEY_NEEDED',
  'ERR_KEY_UNVERIFIED',
  'ERR_KEYRING_TAMPERED',
  'ERR_ROTATE_ENV_KEYS',
  'ERR_ROOT_CHANGE_UNFINISHED',
  'ERR_RUN_NOT_FOUND',
  'ERR_RUN_UNFINISHED',
  'ERR_RUN_DRIVEN',
  'ERR_RUN_NOT_CLEAN',
  'ERR_SCHEDULE_NOT_FOUND',
  'ERR_FORBIDDEN',
  'ERR_NOT_FOUND',
  'ERR_API_KEY_REVOKED',
  'ERR_API_KEY_STATE',
  'ERR_API_KEY_TAMPERED',
  'ERR_SUBJECT_NOT_FOUND',
  'ERR_BACKUP_EXISTS',
  'ERR_AUDIT_TAMPERED',
];

/** Writes the row, if the error is a refusal. @throws FieldsealError of the store */
export async function recordRefusedCommand(
  { target, schema }: Pick<Dependencies, 'target' | 'schema'>,
  { command, code }: { readonly command: string; readonly code: ErrorCode },
): Promise<void> {
  if (!REFUSALS.includes(code)) return;
  const store = await openStore(target, { schema, mustExist: true, migrate: false });
  try {
    // Where there is no log of ours, what is refused begins none.
    if ((await store.audit.list({ limit: 1 })).length === 0) return;
    await store.audit.insert(
      auditRow(OPERATOR_ACTOR, {
        action: 'command_refused',
        resourceType: 'command',
        status: 'failure',
        details: { code, command },
      }),
    );
  } finally {
    await store.close();
  }
}
