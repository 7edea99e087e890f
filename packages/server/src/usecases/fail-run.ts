/** Giving a run up that cannot go on by itself: its reason stands beside it, and it is in nobody's way. */
import { type ErrorCode, FieldsealError, isFieldsealError } from 'fieldseal';
import { openStore } from '../store/open-store.js';
import { LEASE_SECONDS } from '../sweep/lease.js';
import type { Dependencies } from './dependencies.js';
import { getRun } from './list-runs.js';

/** What was thrown, as the error that it is told as. */
export function faultOf(caught: unknown): FieldsealError {
  if (isFieldsealError(caught)) return caught;
  const reason = caught instanceof Error ? caught.name : 'unknown';
  return new FieldsealError('ERR_INTERNAL', `A fault of Fieldseal itself: ${reason}.`);
}

/** Whether trying again later may help: the database was away, or another process drives the run or changed the keyring. */
export function isPassingFault(code: ErrorCode): boolean {
  return /^ERR_(DATABASE_(BUSY|FAILED|NOT_FOUND)|RUN_(DRIVEN|LOST|STOPPED)|KEYRING_CONFLICT)$/.test(code);
}

/** Whether it is for a person to finish the run, with keys that this process was not given: it stays, and is stalled. */
export function isForPerson(code: ErrorCode): boolean {
  return code === 'ERR_ROOT_CHANGE_UNFINISHED';
}

/** Moves a run that nobody drives to `failed`, with its audit row. */
export async function failRun(
  { target, schema, driver }: Dependencies,
  id: number,
  error: FieldsealError,
): Promise<void> {
  const store = await openStore(target, { schema, mustExist: true });
  try {
    await store.transaction(async (tx) => {
      const fence = await tx.runs.claim(id, driver.owner, LEASE_SECONDS, false);
      if (fence === null) return;
      await tx.runs.update(id, fence, { status: 'failed', errorDetails: error.message, release: true });
      const details = JSON.stringify({ code: error.code });
      await tx.audit.insert({
        action: 'run_failed',
        resourceType: 'sweep_run',
        resourceId: String(id),
        status: 'failure',
        details,
      });
    });
  } finally {
    await store.close();
  }
}

/**
 * Ends a run that nobody drives as failed, because an operator says so.
 * @throws FieldsealError `ERR_RUN_NOT_FOUND`, also when the run is over, and `ERR_RUN_DRIVEN` while a process drives it
 */
export async function failUndrivenRun(deps: Dependencies, id: number, reason: string | null): Promise<void> {
  const { target, schema, driver } = deps;
  const { completedAt, errorDetails } = await getRun(deps, id);
  if (completedAt !== null)
    throw new FieldsealError('ERR_RUN_NOT_FOUND', `Run ${id} is over; \`fieldseal status\` lists the others.`);
  const store = await openStore(target, { schema, mustExist: true });
  try {
    await store.transaction(async (tx) => {
      const run = await tx.runs.get(id);
      const ownerIsGone = typeof run?.owner === 'string' && driver.isGone(run.owner);
      const fence = await tx.runs.claim(id, driver.owner, LEASE_SECONDS, ownerIsGone);
      const change = { status: 'failed' as const, errorDetails: reason ?? errorDetails, release: true };
      if (fence === null || !(await tx.runs.update(id, fence, change))) {
        throw new FieldsealError('ERR_RUN_DRIVEN', `Run ${id} is driven by a process; pause it first.`);
      }
      await tx.audit.insert({
        action: 'run_failed',
        resourceType: 'sweep_run',
        resourceId: String(id),
        status: 'success',
        ...(reason !== null && { details: JSON.stringify({ reason }) }),
      });
    });
  } finally {
    await store.close();
  }
}
