/** Starting what a schedule asks for, once its time has come. */
import {
  type EnvironmentKeys,
  type ErrorCode,
  type FieldsealConfig,
  FieldsealError,
  isFieldsealError,
} from 'fieldseal';
import type { Schedule } from '../store/schedule.js';
import type { Run, Store, StoreTransaction } from '../store/store.js';
import { inKeyringTransaction } from './change-stored-keyring.js';
import { findUnfinished } from './drive-run.js';
import { nextTime } from './next-time.js';
import type { ServiceKeyring } from './service-keyring.js';
import { assertRandomKey, createRotation } from './start-rotation.js';

/** What starting takes. */
export interface StartDependencies {
  readonly keys: EnvironmentKeys;
  /** Which keys readers have, by the declaration. */
  rotationKeys(): Promise<FieldsealConfig['keys']>;
}

/** What was skipped. */
export interface SkippedTime {
  readonly code: ErrorCode;
  readonly reason: string;
}

/** What stands against starting now, whichever process does. */
const SKIPS: readonly ErrorCode[] = ['ERR_RUN_UNFINISHED', 'ERR_ROTATE_ENV_KEYS', 'ERR_ROOT_CHANGE_UNFINISHED'];

const INITIATOR = 'schedule ';

/** Whether a schedule started the run. */
export function isScheduled({ initiatedBy }: Run): boolean {
  return initiatedBy.startsWith(INITIATOR);
}

async function createVerify(tx: StoreTransaction, initiatedBy: string): Promise<Run> {
  const unfinished = await findUnfinished(tx, 'verify');
  if (unfinished) throw new FieldsealError('ERR_RUN_UNFINISHED', `Run ${unfinished.id} (verify) is unfinished.`);
  return tx.runs.create({ kind: 'verify', oldKeyVersion: null, newKeyVersion: null, notes: null, initiatedBy });
}

/**
 * Moves the schedule on to its next time and makes the pending run, in one exclusive transaction, so that each time is
 * started by exactly one process. Times that nobody was there for are started once. Where a run is in the way, or the
 * declaration, this time is skipped.
 * @returns what was skipped; null: the run is there, or another process was faster
 * @throws FieldsealError of the keyring and the declaration, and of `nextTime`; nothing has changed then
 */
export async function startDue(
  { keys, rotationKeys }: StartDependencies,
  store: Store,
  { id, kind, nextAt, cron, timezone }: Schedule,
): Promise<SkippedTime | null> {
  const readers = kind === 'rotate' ? await rotationKeys() : 'stored';
  const initiatedBy = `${INITIATOR}${id}`;
  const make = async (tx: StoreTransaction, keyring: ServiceKeyring): Promise<Run> => {
    if (kind === 'verify') return createVerify(tx, initiatedBy);
    assertRandomKey(readers);
    return createRotation(tx, keyring, { notes: null, initiatedBy });
  };
  return inKeyringTransaction({ keys }, store, async (tx, keyring) => {
    const next = nextTime({ cron, timezone }, await tx.audit.now());
    if (!(await tx.schedules.move(id, nextAt, next))) return null;
    const about = { resourceType: 'schedule', resourceId: String(id) };
    try {
      const { id: run, oldKeyVersion, newKeyVersion } = await make(tx, keyring);
      await tx.schedules.started(id, run);
      await tx.audit.insert({
        ...about,
        action: 'schedule_started',
        status: 'success',
        details: JSON.stringify({ kind, run, dueAt: nextAt }),
      });
      await tx.audit.insert({
        action: `${kind}_started`,
        resourceType: 'sweep_run',
        resourceId: String(run),
        status: 'success',
        details: JSON.stringify({ initiatedBy, oldKeyVersion, newKeyVersion }),
      });
      return null;
    } catch (error) {
      if (!isFieldsealError(error) || !SKIPS.includes(error.code)) throw error;
      const skipped = { code: error.code, reason: error.message };
      await tx.audit.insert({
        ...about,
        action: 'schedule_skipped',
        status: 'failure',
        details: JSON.stringify({ kind, dueAt: nextAt, ...skipped }),
      });
      return skipped;
    }
  });
}
